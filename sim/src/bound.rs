//! The fewest billed instance-seconds with which a load can be done in time, by somebody who knows the future: a linear program.
//! Knows nothing of policies.
//!
//! In slots of Δ seconds: m workers up, u of them started in the slot, S images done by its end, A uploaded by its end. Least
//! Σ Δ·m + b·Σ u, where b is what of a boot is billed, so that m grows by u at most (m[t] − m[t−1] ≤ u[t]); what was started within
//! the first paid minute is up (Σ u of the last L slots ≤ m[t], with L = ⌊(60 − b) / Δ⌋); m ≤ N; 0 ≤ S[t] − S[t−1] ≤ Δ/s · m[t]; and
//! A[t − D/Δ] − late ≤ S[t] ≤ A[t]. Workers come in parts, may boot before the first upload, and slots are rounded in their favour:
//! nobody can need less.

use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettingsBuilder, DefaultSolver, IPSolver as _, SolverStatus, SupportedConeT};

use crate::account::MINIMUM_SECONDS;

/// What is to be done, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// One image takes one worker so long.
    pub service: f64,
    /// Of a boot, what is billed.
    pub boot: f64,
    /// From upload to answer.
    pub deadline: f64,
    /// Workers at once, at most.
    pub max: u32,
    /// So many images may be late.
    pub late: usize,
}

/// No bound was found.
#[derive(Debug, thiserror::Error)]
#[error("no lower bound was found ({0}): the deadline cannot be met with so few workers, or the problem is too large")]
pub struct NoBound(String);

/// A program has so many slots at most; longer loads have longer slots.
const MOST_SLOTS: f64 = 1500.0;
const SHORTEST_SLOT: f64 = 5.0;
/// Workers may be up so many seconds before the first upload.
const LEAD_SECONDS: f64 = 100.0;

/// The fewest billed instance-seconds with which images uploaded at `offsets` (seconds, in order) are done as `task` says.
///
/// # Errors
/// [`NoBound`]
pub fn lower_bound(offsets: &[f64], task: Task) -> Result<f64, NoBound> {
    let program = Program::of(offsets, task);
    let settings = DefaultSettingsBuilder::default().verbose(false).max_iter(200).build();
    let settings = settings.map_err(|error| NoBound(error.to_string()))?;
    let (variables, rows) = (program.costs.len(), program.limits.len());
    let Entries { rows: i, columns: j, values } = program.entries;
    let matrix = CscMatrix::new_from_triplets(rows, variables, i, j, values);
    let none = CscMatrix::zeros((variables, variables));
    let solver = DefaultSolver::new(&none, &program.costs, &matrix, &program.limits, &[SupportedConeT::NonnegativeConeT(rows)], settings);
    let mut solver = solver.map_err(|error| NoBound(error.to_string()))?;
    solver.solve();
    let solution = &solver.solution;
    match solution.status {
        SolverStatus::Solved | SolverStatus::AlmostSolved => Ok(solution.obj_val.min(solution.obj_val_dual)),
        status => Err(NoBound(format!("{status:?}"))),
    }
}

/// For one burst of `images` at once, answered within `deadline`, by workers that boot `boot` seconds and then take `service` each:
/// so many workers, and about so many billed seconds. None where the boot takes all the time.
#[must_use]
pub fn burst(images: u32, service: f64, deadline: f64, boot: f64) -> Option<(u32, f64)> {
    let left = deadline - boot;
    if left <= 0.0 {
        return None;
    }
    let work = f64::from(images) * service;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of workers, saturates
    let workers = (work / left).ceil() as u32;
    Some((workers, (work + f64::from(workers) * boot).max(MINIMUM_SECONDS * f64::from(workers))))
}

#[derive(Debug, Default)]
struct Entries {
    rows: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<f64>,
}

/// Least costs·x with entries·x ≤ limits; x is m, u and S of each slot.
#[derive(Debug, Default)]
struct Program {
    costs: Vec<f64>,
    entries: Entries,
    limits: Vec<f64>,
}

impl Program {
    fn of(offsets: &[f64], task: Task) -> Self {
        let last = offsets.last().copied().unwrap_or_default();
        let slot = (((last + 2.0 * task.deadline + LEAD_SECONDS) / MOST_SLOTS / SHORTEST_SLOT).ceil() * SHORTEST_SLOT).max(SHORTEST_SLOT);
        let (lead, within) = (slots(LEAD_SECONDS / slot), slots((task.deadline / slot).ceil()));
        // Late ones have as long again.
        let count = lead + slots(last / slot) + 1 + within * if task.late > 0 { 2 } else { 1 };
        let arrived = arrived(offsets, slot, lead, count);
        let paid = slots(((MINIMUM_SECONDS - task.boot) / slot).floor().max(1.0));
        let mut program = Self { costs: vec![0.0; 3 * count], ..Self::default() };
        for t in 0..count {
            let (m, u, s) = (t, count + t, 2 * count + t);
            (program.costs[m], program.costs[u]) = (slot, task.boot);
            let before = (t > 0).then(|| t - 1);
            program.row(0.0, [(m, 1.0), (u, -1.0)].into_iter().chain(before.map(|before| (before, -1.0))));
            program.row(0.0, [(u, -1.0)]);
            program.row(f64::from(task.max), [(m, 1.0)]);
            program.row(0.0, (t.saturating_sub(paid - 1)..=t).map(|started| (count + started, 1.0)).chain([(m, -1.0)]));
            let before = before.map(|before| 2 * count + before);
            program.row(0.0, before.map(|before| (before, 1.0)).into_iter().chain([(s, -1.0)]));
            program.row(0.0, before.map(|before| (before, -1.0)).into_iter().chain([(s, 1.0), (m, -slot / task.service)]));
            program.row(arrived[t], [(s, 1.0)]);
            #[allow(clippy::cast_precision_loss)] // images are far below 2⁵³
            let late = if t + 1 == count { 0.0 } else { task.late as f64 };
            let due = t.checked_sub(within).map_or(0.0, |due| (arrived[due] - late).max(0.0));
            program.row(-due, [(s, -1.0)]);
        }
        program
    }

    fn row(&mut self, limit: f64, entries: impl IntoIterator<Item = (usize, f64)>) {
        for (column, value) in entries {
            self.entries.rows.push(self.limits.len());
            self.entries.columns.push(column);
            self.entries.values.push(value);
        }
        self.limits.push(limit);
    }
}

/// Images uploaded by the end of each slot.
fn arrived(offsets: &[f64], slot: f64, lead: usize, count: usize) -> Vec<f64> {
    let mut arrived = vec![0.0; count];
    for offset in offsets {
        arrived[(lead + slots(offset / slot)).min(count - 1)] += 1.0;
    }
    for t in 1..count {
        arrived[t] += arrived[t - 1];
    }
    arrived
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of slots
fn slots(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: Task = Task { service: 1.0, boot: 15.0, deadline: 120.0, max: 19, late: 0 };

    #[test]
    fn a_burst_needs_as_many_workers_as_do_it_in_the_time_that_boots_leave() {
        assert_eq!(burst(300, 1.0, 120.0, 20.0), Some((3, 360.0)));
        assert_eq!(burst(10, 1.0, 30.0, 20.0), Some((1, 60.0)));
        assert_eq!(burst(10, 1.0, 20.0, 20.0), None);
    }

    #[test]
    fn a_burst_costs_its_work_and_its_boots() {
        // 300 s of work within 120 s, before which workers may boot: 2.5 of them, in parts.
        let bound = lower_bound(&[0.0; 300], TASK).unwrap();
        assert!((bound - (300.0 + 15.0 * 300.0 / 125.0)).abs() < 2.0, "{bound}");
        let (_, feasible) = burst(300, 1.0, 120.0, 20.0).unwrap();
        assert!(bound <= feasible);
    }

    #[test]
    fn one_image_costs_a_minute_for_as_much_of_a_worker_as_it_needs() {
        // 1 s of work in 125 s could be done by a part of a worker; it is billed 60 s for each whole one.
        let bound = lower_bound(&[0.0], Task { deadline: 5.0, ..TASK }).unwrap();
        assert!((1.0..60.0).contains(&bound), "{bound}");
    }

    #[test]
    fn less_time_costs_more_and_late_images_cost_less() {
        let offsets: Vec<f64> = (0..600).map(|image| f64::from(image % 7) * 40.0).collect();
        let mut offsets = offsets;
        offsets.sort_by(f64::total_cmp);
        let of = |deadline, late| lower_bound(&offsets, Task { deadline, late, max: 100, ..TASK }).unwrap();
        assert!(of(10.0, 0) > of(120.0, 0) + 1.0);
        assert!(of(10.0, 60) < of(10.0, 0) - 1.0);
    }

    #[test]
    fn what_cannot_be_done_has_no_bound() {
        assert!(lower_bound(&[0.0; 300], Task { max: 1, ..TASK }).is_err());
    }

    #[test]
    fn the_real_trace_has_the_bound_that_another_solver_found() {
        let path = "traces/azure-llm-2023-code.csv";
        let crate::arrivals::Arrivals::Trace(offsets) = crate::arrivals::Arrivals::read(path.as_ref()).unwrap() else { panic!() };
        let bound = lower_bound(&offsets, TASK).unwrap();
        assert!((9060.0..9080.0).contains(&bound), "HiGHS: 9,074; here {bound}");
    }
}
