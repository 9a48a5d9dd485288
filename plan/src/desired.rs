//! How many workers: from the backlog through damping and limits, each step leaving a sentence.

use jiff::{SignedDuration, Timestamp};

use crate::{Fleet, LimitedBy, Observed, QueueDepth, Recommendation};

/// The number of workers wanted and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Desired {
    pub(crate) workers: u32,
    pub(crate) recommendation: Option<u32>,
    pub(crate) limited_by: Option<LimitedBy>,
    pub(crate) steps: Vec<String>,
}

pub(crate) fn desired(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Desired {
    if fleet.deleting {
        let steps = vec!["The fleet is being deleted: 0 workers.".to_owned()];
        return Desired { workers: 0, recommendation: None, limited_by: None, steps };
    }
    let mut steps = Vec::new();
    let (asked, recommendation) = asked(fleet, observed, &mut steps);
    let damped = damped(fleet, observed, recommendation, asked, now, &mut steps);
    let (workers, limited_by) = limited(damped, fleet.min, fleet.max);
    if let Some(limit) = limited_by {
        steps.push(format!("{limit} makes that {workers}."));
    }
    Desired { workers, recommendation, limited_by, steps }
}

/// What is asked for, and whether it is a recommendation from the backlog.
fn asked(fleet: &Fleet, observed: &Observed, steps: &mut Vec<String>) -> (u32, Option<u32>) {
    if let Some(pinned) = fleet.pinned {
        steps.push(format!("spec.workers.replicas asks for {pinned} workers."));
        return (pinned, None);
    }
    let Some(depth) = observed.queue else {
        steps.push(format!("The queue could not be sampled: {} workers are kept.", observed.desired));
        return (observed.desired, None);
    };
    let workers = for_backlog(fleet, depth, steps);
    (workers, Some(workers))
}

fn for_backlog(fleet: &Fleet, depth: QueueDepth, steps: &mut Vec<String>) -> u32 {
    let per_worker = fleet.messages_per_worker.get();
    let backlog = depth.backlog(fleet.counted);
    let workers = u32::try_from(backlog.div_ceil(u64::from(per_worker))).unwrap_or(u32::MAX);
    let QueueDepth { visible, in_flight, delayed } = depth;
    steps.push(format!(
        "Backlog {backlog} (visible {visible}, in flight {in_flight}, delayed {delayed}) at {per_worker} a worker asks for {workers}."
    ));
    workers
}

/// The scale-down window: falls only as far as the highest recommendation within it. Rising is never delayed.
fn damped(fleet: &Fleet, observed: &Observed, recommendation: Option<u32>, asked: u32, now: Timestamp, steps: &mut Vec<String>) -> u32 {
    let Some(recommended) = recommendation else { return asked };
    let highest = highest_recommended(&observed.history, fleet.scale_down_window, recommended, now);
    let damped = observed.desired.clamp(recommended, highest);
    if damped != recommended {
        let window = fleet.scale_down_window.as_secs();
        steps.push(format!("The scale-down window keeps {damped}: as many as {highest} were asked for in the last {window} s."));
    }
    damped
}

/// The highest of `recommended` and what was recommended within `window` before `now`, as the HPA's stabilisation has it
/// (kubernetes/pkg/controller/podautoscaler/horizontal.go, `stabilizeRecommendation`).
#[must_use]
pub fn highest_recommended(history: &[Recommendation], window: SignedDuration, recommended: u32, now: Timestamp) -> u32 {
    let recent = history.iter().filter(|entry| now.duration_since(entry.at) < window);
    recent.map(|entry| entry.workers).fold(recommended, u32::max)
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
