//! How many workers: from the backlog through damping, limits and pauses, each step leaving a sentence.

mod behavior;
mod deadline;

pub use behavior::{Damped, damped};
pub use deadline::{Deadline, for_deadline};

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::{Fallback, FallbackBehavior, Fleet, Inputs, LimitedBy, QueueDepth, Target};

/// The number of workers wanted and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// Workers wanted.
    pub workers: u32,
    /// What the backlog asked for, before damping and limits.
    pub recommendation: Option<u32>,
    /// So many of them stay though they have nothing to do.
    pub floor: u32,
    /// The limit that binds.
    pub limited_by: Option<LimitedBy>,
    /// One sentence for each step.
    pub steps: Vec<String>,
}

/// What is asked for, before limits.
struct Asked {
    workers: u32,
    recommendation: Option<u32>,
    limited_by: Option<LimitedBy>,
    steps: Vec<String>,
}

/// How many workers `fleet` should have.
#[must_use]
pub fn desired(fleet: &Fleet, inputs: &Inputs) -> Desired {
    if fleet.deleting {
        let steps = vec!["The fleet is being deleted: 0 workers.".to_owned()];
        return Desired { workers: 0, recommendation: None, floor: 0, limited_by: None, steps };
    }
    let Asked { workers, recommendation, mut limited_by, mut steps } = asked(fleet, inputs);
    let (mut workers, limit) = limited(workers, fleet.min, fleet.max);
    if let Some(limit) = limit {
        steps.push(format!("{limit} makes that {workers}."));
        limited_by = Some(limit);
    }
    if let Some(paused) = paused(fleet, inputs.before, workers, &mut steps) {
        workers = paused;
        limited_by = Some(LimitedBy::Pause);
    }
    let idle = recommendation.is_some() && limited_by != Some(LimitedBy::Pause);
    let floor = if idle { workers.min(fleet.min) } else { workers };
    Desired { workers, recommendation, floor, limited_by, steps }
}

fn asked(fleet: &Fleet, inputs: &Inputs) -> Asked {
    let mut steps = Vec::new();
    if let Some(pinned) = fleet.pinned {
        steps.push(format!("spec.workers.replicas asks for {pinned} workers."));
        return Asked { workers: pinned, recommendation: None, limited_by: None, steps };
    }
    let Some(depth) = inputs.queue else {
        let workers = without_sample(fleet.fallback, inputs, &mut steps);
        return Asked { workers, recommendation: None, limited_by: None, steps };
    };
    let (recommended, late) = for_backlog(fleet, inputs, depth, &mut steps);
    let Damped { workers, limited_by } = damped(fleet, inputs, recommended, &mut steps);
    Asked { workers, recommendation: Some(recommended), limited_by: limited_by.or(late), steps }
}

/// Failed samples keep the number, until there are too many of them.
fn without_sample(fallback: Option<Fallback>, inputs: &Inputs, steps: &mut Vec<String>) -> u32 {
    let (before, failed) = (inputs.before, inputs.failed_samples);
    let Some(Fallback { threshold, behavior, workers }) = fallback.filter(|fallback| failed > fallback.threshold) else {
        steps.push(format!("The queue could not be sampled ({failed} times in a row): {before} workers are kept."));
        return before;
    };
    let chosen = match behavior {
        FallbackBehavior::Static => workers,
        FallbackBehavior::Current => before,
        FallbackBehavior::CurrentIfHigher => before.max(workers),
        FallbackBehavior::CurrentIfLower => before.min(workers),
    };
    steps.push(format!(
        "The queue could not be sampled {failed} times in a row, more than {threshold}: scaling.fallback makes that {chosen}."
    ));
    chosen
}

fn for_backlog(fleet: &Fleet, inputs: &Inputs, depth: QueueDepth, steps: &mut Vec<String>) -> (u32, Option<LimitedBy>) {
    let QueueDepth { visible, in_flight, delayed } = depth;
    let counted = depth.backlog(fleet.counted);
    // Who waits at a gateway for what workers hold counts only where that counts.
    let held = if fleet.counted.in_flight { 0 } else { in_flight };
    let backlog = counted.max(inputs.waiting.saturating_sub(held));
    let waiting = if backlog > counted { format!("; {} wait at the gateway", inputs.waiting) } else { String::new() };
    let about = format!("Backlog {backlog} (visible {visible}, in flight {in_flight}, delayed {delayed}{waiting})");
    if backlog <= fleet.activation {
        let beyond = if fleet.activation > 0 { format!(", not more than activationMessages {}", fleet.activation) } else { String::new() };
        steps.push(format!("{about}{beyond} asks for 0."));
        return (0, None);
    }
    match fleet.target {
        Target::MessagesPerWorker(per_worker) => {
            let workers = for_messages(backlog, per_worker, inputs.before, fleet);
            let exact = whole(backlog.div_ceil(u64::from(per_worker.get())));
            let kept =
                if workers == exact { String::new() } else { format!("; within the tolerance of {}, {workers} are kept", inputs.before) };
            steps.push(format!("{about} at {per_worker} a worker asks for {exact}{kept}."));
            (workers, None)
        }
        Target::Drain(within) => {
            let Deadline { workers, met, sentence } = for_deadline(inputs, backlog, within, fleet.places, fleet.max);
            steps.push(format!("{about} {sentence}"));
            (workers, (!met).then_some(LimitedBy::BootTime))
        }
    }
}

/// ceil(backlog / per worker), but the number there is while the backlog of each is within the tolerance of its target, as
/// the HPA has it (kubernetes/pkg/controller/podautoscaler/replica_calculator.go, `GetExternalPerPodMetricReplicas`).
#[must_use]
pub fn for_messages(backlog: u64, per_worker: NonZeroU32, before: u32, fleet: &Fleet) -> u32 {
    let wanted = whole(backlog.div_ceil(u64::from(per_worker.get())));
    if before == 0 {
        return wanted;
    }
    #[allow(clippy::cast_precision_loss)] // a tolerance is no exact thing
    let ratio = backlog as f64 / (f64::from(per_worker.get()) * f64::from(before));
    let within = (1.0 - fleet.scale_down.tolerance..=1.0 + fleet.scale_up.tolerance).contains(&ratio);
    if within { before } else { wanted }
}

/// `wanted` between `min` and `max`, and the limit that changed it.
#[must_use]
pub fn limited(wanted: u32, min: u32, max: u32) -> (u32, Option<LimitedBy>) {
    match wanted {
        _ if wanted > max => (max, Some(LimitedBy::Max)),
        _ if wanted < min => (min, Some(LimitedBy::Min)),
        _ => (wanted, None),
    }
}

/// What annotations make of `workers`, if they speak of it. Nobody pauses `max`: it is what a fleet may cost.
fn paused(fleet: &Fleet, before: u32, workers: u32, steps: &mut Vec<String>) -> Option<u32> {
    let pause = fleet.pause;
    let (held, annotation) = match pause.workers {
        Some(asked) => (asked, "paused-replicas"),
        None if pause.paused => (before, "paused"),
        None if pause.scale_in && workers < before => (before, "paused-scale-in"),
        None if pause.scale_out && workers > before => (before, "paused-scale-out"),
        None => return None,
    };
    let held = held.min(fleet.max);
    steps.push(format!("The annotation classifierfleet.dev/{annotation} holds {held} workers."));
    Some(held)
}

pub(crate) fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Seconds for people.
pub(crate) fn seconds(duration: SignedDuration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds.fract() == 0.0 || seconds >= 10.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
