//! `drainSeconds`: the fewest workers with which each job is done within so long of its upload.

use jiff::SignedDuration;

use super::{seconds, whole};
use crate::{Group, Inputs};

/// How many workers meet the deadline.
#[derive(Debug, Clone, PartialEq)]
pub struct Deadline {
    /// Workers; more than there may be, when that is what it takes.
    pub workers: u32,
    /// All jobs are done in time by so many.
    pub met: bool,
    /// How that came about.
    pub sentence: String,
}

/// Workers that are alike and are or could be there: how many, in how many seconds they take jobs, how many jobs each does a second.
#[derive(Debug, Clone, Copy)]
struct Alike {
    workers: u32,
    ready_in: f64,
    rate: f64,
}

/// What there is to do: jobs now, and jobs a second from now on.
#[derive(Debug, Clone, Copy)]
struct Work {
    jobs: f64,
    arrivals: f64,
}

/// Done this much early or late is on time: rates are measured, not known.
const ROUNDING: f64 = 1e-6;

/// The fewest of the workers there are, then stopped ones, then new ones (stopped ones only while they are sooner) that do
/// `backlog` jobs in the time that is left: `within` less the age of the oldest. Those that arrive meanwhile must be kept up
/// with. When no number of workers can, so many (at most `max`) that all is done as soon as it can be.
#[must_use]
pub fn for_deadline(inputs: &Inputs, backlog: u64, within: SignedDuration, max: u32) -> Deadline {
    #[allow(clippy::cast_precision_loss)] // a backlog of 2⁵³ jobs is not to be had
    let work = Work { jobs: backlog as f64, arrivals: inputs.arrivals_per_second.max(0.0) };
    let age = inputs.oldest_age.unwrap_or(SignedDuration::ZERO);
    let left = within.saturating_sub(age).max(SignedDuration::ZERO);
    let groups = in_order(inputs);
    let about = format!("has {} left of drainSeconds {}", seconds(left), seconds(within));
    let assumed = if inputs.measured { "" } else { " (assumed, none was measured yet)" };
    let (rate, boot) = (inputs.jobs_per_second, seconds(inputs.boot_cold));
    if let Some(workers) = fewest(&groups, work, left.as_secs_f64()) {
        let sentence = format!(
            "{about}; at {rate:.1} jobs/s a worker{assumed}, {boot} to boot and {:.1} jobs/s arriving asks for {workers}.",
            work.arrivals
        );
        return Deadline { workers, met: true, sentence };
    }
    let (workers, finish) = soonest(&groups, work, max);
    let until = match finish.is_finite() {
        true => format!("are done soonest, in about {}", seconds(SignedDuration::from_secs_f64(finish.min(1e9)))),
        false => "do what can be done".to_owned(),
    };
    let sentence = format!("{about}, which cannot be met at {rate:.1} jobs/s a worker{assumed} and {boot} to boot. {workers} {until}.");
    Deadline { workers, met: false, sentence }
}

/// Workers in the order in which they would be used: those that are paid for, then the sooner ones.
fn in_order(inputs: &Inputs) -> Vec<Alike> {
    let there = inputs.workers.iter().map(|group: &Group| Alike {
        workers: group.workers,
        ready_in: group.ready_in.as_secs_f64(),
        rate: group.jobs_per_second,
    });
    let further = |workers, boot: SignedDuration| Alike { workers, ready_in: boot.as_secs_f64(), rate: inputs.jobs_per_second };
    let warm = further(if inputs.warm_is_sooner() { inputs.startable } else { 0 }, inputs.boot_warm);
    let all = there.chain([warm, further(u32::MAX, inputs.boot_cold)]);
    all.filter(|alike| alike.workers > 0 && alike.rate > 0.0).collect()
}

/// The fewest that do the jobs within `slack` seconds and keep up with those that arrive. None: no number of them does, or a
/// job alone takes too long (more workers than jobs would be of no use).
fn fewest(groups: &[Alike], work: Work, slack: f64) -> Option<u32> {
    let (mut number, mut useful, mut done, mut rate) = (0_u32, 0.0, 0.0, 0.0);
    for alike in groups {
        let each = alike.rate * (slack - alike.ready_in).max(0.0);
        let for_jobs = ((work.jobs - done) / each - ROUNDING).ceil();
        let for_arrivals = ((work.arrivals - rate) / alike.rate - ROUNDING).ceil();
        let late = done + ROUNDING < work.jobs && each <= 0.0;
        let needed = if done + ROUNDING < work.jobs { for_jobs.max(for_arrivals) } else { for_arrivals }.max(0.0);
        if !late && needed <= f64::from(alike.workers) {
            let enough_jobs = done + ROUNDING >= work.jobs || useful + for_jobs <= work.jobs;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 0 and the group's workers
            return enough_jobs.then(|| number.saturating_add(needed as u32));
        }
        number = number.saturating_add(alike.workers);
        useful += if each > 0.0 { f64::from(alike.workers) } else { 0.0 };
        done += each * f64::from(alike.workers);
        rate += alike.rate * f64::from(alike.workers);
    }
    None
}

/// So many that all is done as soon as it can be, and when that is, in seconds: a further worker is of use only if it is
/// ready before the others are done, and finds a job that none of them has begun.
fn soonest(groups: &[Alike], work: Work, max: u32) -> (u32, f64) {
    // Σ rate·(t − ready) = jobs + arrivals·t, solved for t.
    let (mut number, mut rate, mut offset, mut finish) = (0_u32, 0.0, 0.0, f64::INFINITY);
    let workers = groups.iter().flat_map(|alike| std::iter::repeat_n(alike, alike.workers as usize));
    for worker in workers.take(max as usize) {
        let done = (rate * worker.ready_in - offset).max(0.0);
        let left = work.jobs + work.arrivals * worker.ready_in - done;
        let keeps_up = rate + ROUNDING >= work.arrivals;
        if keeps_up && (worker.ready_in >= finish || left <= f64::from(number)) {
            break;
        }
        number += 1;
        rate += worker.rate;
        offset += worker.rate * worker.ready_in;
        finish = if rate > work.arrivals { (work.jobs + offset) / (rate - work.arrivals) } else { f64::INFINITY };
    }
    (number.max(whole(u64::from(max > 0))), finish)
}
