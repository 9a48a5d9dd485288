//! What the number of workers is computed from: few enough values to be shown, and enough to compute it again.

use jiff::{SignedDuration, Timestamp};

use crate::census::{coming, is_being_started};
use crate::{Action, Closed, Fleet, Instance, Intent, Observed, QueueDepth, State};

/// Assumed of a worker before one was measured (lognormal boot times of slim images have a median of 30 s, started ones of
/// 20 s; a rate low enough not to starve the first burst).
pub const ASSUMED: Assumed =
    Assumed { boot_cold: SignedDuration::from_secs(30), boot_warm: SignedDuration::from_secs(20), jobs_per_second: 1.0 };

/// What is assumed of a worker before one was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumed {
    /// From the launch call to ready.
    pub boot_cold: SignedDuration,
    /// From the start call to ready.
    pub boot_warm: SignedDuration,
    /// Jobs that one worker does each second.
    pub jobs_per_second: f64,
}

/// What the number of workers is computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// The queue; `None` when it could not be sampled.
    pub queue: Option<QueueDepth>,
    /// Samples that failed in a row.
    pub failed_samples: u32,
    /// Uploads that wait in the gateways.
    pub waiting: u64,
    /// How long the oldest of them has waited.
    pub oldest_age: Option<SignedDuration>,
    /// Jobs that arrive each second.
    pub arrivals_per_second: f64,
    /// The number that was last decided.
    pub before: u32,
    /// The lowest recommendation within the scale-up window.
    pub lowest: Option<u32>,
    /// The highest recommendation within the scale-down window.
    pub highest: Option<u32>,
    /// Changes of the number within the policies' periods.
    pub changes: Vec<PastChange>,
    /// Workers that are there or on their way.
    pub workers: Vec<Group>,
    /// Stopped workers that can be started.
    pub startable: u32,
    /// From the launch call to ready.
    pub boot_cold: SignedDuration,
    /// From the start call to ready.
    pub boot_warm: SignedDuration,
    /// Jobs that a further worker will do each second.
    pub jobs_per_second: f64,
    /// A worker of this fleet was measured: the three above are no assumptions.
    pub measured: bool,
}

/// A change of the number wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastChange {
    /// How long ago.
    pub ago: SignedDuration,
    /// By how many workers.
    pub by: i64,
}

/// Workers that are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// How many.
    pub workers: u32,
    /// When they take jobs.
    pub ready_in: SignedDuration,
    /// Jobs that each does in a second.
    pub jobs_per_second: f64,
}

impl Inputs {
    /// What matters of what was observed.
    #[must_use]
    pub fn of(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Self {
        let learned = observed.learned;
        let rate = rate(observed);
        let within = |window: SignedDuration| observed.history.iter().filter(move |entry| now.duration_since(entry.at) < window);
        let boot_cold = learned.boot_cold.unwrap_or(ASSUMED.boot_cold);
        let boot_warm = learned.boot_warm.unwrap_or(ASSUMED.boot_warm.min(boot_cold));
        let jobs_per_second = rate.unwrap_or(ASSUMED.jobs_per_second);
        let boots = Boots { cold: boot_cold, warm: boot_warm, now };
        Self {
            queue: observed.queue,
            failed_samples: observed.failed_samples,
            waiting: observed.waiting.images,
            oldest_age: observed.waiting.oldest.map(|oldest| now.duration_since(oldest).max(SignedDuration::ZERO)),
            arrivals_per_second: Some(observed.arrivals_per_second).filter(|rate| is_rate(*rate)).unwrap_or(0.0),
            before: observed.desired,
            lowest: within(fleet.scale_up.window).map(|entry| entry.workers).min(),
            highest: within(fleet.scale_down.window).map(|entry| entry.workers).max(),
            changes: changes(fleet, observed, now),
            workers: groups(observed, &boots, jobs_per_second),
            startable: u32::try_from(startable(fleet, observed, now).len()).unwrap_or(u32::MAX),
            boot_cold,
            boot_warm,
            jobs_per_second,
            measured: rate.is_some(),
        }
        .rounded()
    }

    /// As the status shows them, tenths of a second and thousandths of a job a second: what is decided from is what is shown.
    fn rounded(mut self) -> Self {
        let tenths =
            |time: SignedDuration| SignedDuration::from_millis(i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 1000) / 100 * 100);
        let thousandths = |rate: f64| (rate * 1000.0).round() / 1000.0;
        self.oldest_age = self.oldest_age.map(tenths);
        (self.boot_cold, self.boot_warm) = (tenths(self.boot_cold), tenths(self.boot_warm));
        self.arrivals_per_second = thousandths(self.arrivals_per_second);
        self.jobs_per_second = thousandths(self.jobs_per_second);
        for change in &mut self.changes {
            change.ago = tenths(change.ago);
        }
        for group in &mut self.workers {
            (group.ready_in, group.jobs_per_second) = (tenths(group.ready_in), thousandths(group.jobs_per_second));
        }
        self
    }

    /// A stopped worker is ready no later than a new one.
    #[must_use]
    pub fn warm_is_sooner(&self) -> bool {
        self.boot_warm <= self.boot_cold
    }
}

fn instances(observed: &Observed) -> &[Instance] {
    observed.inventory.as_ref().map_or(&[], |inventory| &inventory.instances)
}

/// The mean of what the workers measured, or what was learned from earlier ones. The order of the workers changes nothing of it.
fn rate(observed: &Observed) -> Option<f64> {
    let active = instances(observed).iter().filter(|worker| worker.is_active());
    let mut rates: Vec<f64> = active.filter_map(|worker| worker.jobs_per_second).filter(|rate| is_rate(*rate)).collect();
    if rates.is_empty() {
        return observed.learned.jobs_per_second.filter(|rate| is_rate(*rate));
    }
    rates.sort_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss)] // far below 2⁵³ workers
    Some(rates.iter().sum::<f64>() / rates.len() as f64)
}

/// A worker that measured nothing, or nonsense, is taken for one that did not measure.
fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}

fn changes(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Vec<PastChange> {
    let policies = fleet.scale_up.policies.iter().chain(&fleet.scale_down.policies);
    let longest = policies.map(|policy| policy.period).max().unwrap_or(SignedDuration::ZERO);
    let past = observed.changes.iter().map(|change| PastChange { ago: now.duration_since(change.at), by: change.by });
    let mut recent: Vec<PastChange> = past.filter(|change| change.ago < longest).collect();
    recent.sort_by_key(|change| (change.ago, change.by));
    recent
}

/// How long workers boot, seen from now.
struct Boots {
    cold: SignedDuration,
    warm: SignedDuration,
    now: Timestamp,
}

impl Boots {
    /// What is left of a boot that began at `since`, in whole seconds, so that those that boot together are alike.
    fn left(&self, warm: bool, since: Timestamp) -> SignedDuration {
        let boot = if warm { self.warm } else { self.cold };
        let passed = self.now.duration_since(since).max(SignedDuration::ZERO);
        SignedDuration::from_secs((boot - passed).max(SignedDuration::ZERO).as_secs())
    }

    fn group(&self, worker: &Instance, rate: f64) -> Group {
        let ready_in = if worker.ready { SignedDuration::ZERO } else { self.left(worker.warm, worker.launched_at) };
        Group { workers: 1, ready_in, jobs_per_second: worker.jobs_per_second.filter(|rate| is_rate(*rate)).unwrap_or(rate) }
    }

    fn coming(&self, observed: &Observed, intent: &Intent, rate: f64) -> Group {
        let workers = coming(intent, observed.inventory.as_ref(), self.now);
        Group { workers, ready_in: self.left(intent.action == Action::Start, intent.asked_at), jobs_per_second: rate }
    }
}

/// Workers that are there or on their way, the soonest first; those that are alike together.
fn groups(observed: &Observed, boots: &Boots, rate: f64) -> Vec<Group> {
    let active = instances(observed).iter().filter(|worker| worker.is_active());
    let coming = observed.intents.iter().map(|intent| boots.coming(observed, intent, rate));
    let mut groups: Vec<Group> = active.map(|worker| boots.group(worker, rate)).chain(coming).collect();
    groups.retain(|group| group.workers > 0);
    groups.sort_by(|a, b| a.ready_in.cmp(&b.ready_in).then(b.jobs_per_second.total_cmp(&a.jobs_per_second)));
    groups.dedup_by(|next, group| {
        let alike = next.ready_in == group.ready_in && (next.jobs_per_second - group.jobs_per_second).abs() < 0.05;
        if alike {
            group.workers += next.workers;
        }
        alike
    });
    groups
}

/// Stopped workers that can be started, those that were stopped last first: of the current revision, whole, on-demand, not
/// being started already, where EC2 has room.
pub(crate) fn startable<'a>(fleet: &Fleet, observed: &'a Observed, now: Timestamp) -> Vec<&'a Instance> {
    let being_started = |instance: &Instance| is_being_started(observed, instance, now);
    let is_open = |closed: &Closed| closed.until <= now;
    let open = |instance: &Instance| observed.closed.iter().filter(|closed| closed.offering == instance.offering).all(is_open);
    let mut startable: Vec<&Instance> = instances(observed)
        .iter()
        .filter(|instance| instance.state == State::Stopped && is_worth_keeping(fleet, instance))
        .filter(|instance| !being_started(instance) && open(instance))
        .collect();
    startable.sort_by_key(|instance| (std::cmp::Reverse(instance.stopped_since), &instance.id));
    startable
}

/// A stopped worker that can be started again: one that was stopped before it had ever been ready helps nobody.
pub(crate) fn is_worth_keeping(fleet: &Fleet, instance: &Instance) -> bool {
    instance.reusable && is_fit_for_pool(fleet, instance)
}

/// A worker that may be stopped and started: of the current revision and the fleet's offerings. EC2 stops no spot instances of ours.
pub(crate) fn is_fit_for_pool(fleet: &Fleet, instance: &Instance) -> bool {
    !instance.offering.spot && instance.revision == fleet.revision && fleet.offerings.contains(&instance.offering)
}
