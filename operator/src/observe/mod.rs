//! Observe: what is, gathered for one fleet. Reads only.

pub mod arrivals;
pub mod cost;
pub mod dead_letters;
pub mod instances;
pub mod inventory;
pub mod learn;
pub mod queue;
pub mod wake;

use crds::{BootSeconds, ClassifierFleet, ClassifierFleetStatus, LaunchAction, LaunchIntent, OfferingStatus, RolloutStatus};
use jiff::Timestamp;
use plan::{Action, Fleet, Intent, Inventory, Observed, QueueDepth, Recommendation, Rollout, Waiting};

use crate::memory::{Memory, Remembered};
use crate::observe::cost::{Cost, Running};
use crate::observe::inventory::Snapshot;
use crate::offerings;
use crate::prepare::Fault;
use crate::prices::Prices;

/// The queue's depth and when it was sampled, or why not; none for a fleet that is being deleted.
pub type Sample = Option<Result<(QueueDepth, Timestamp), String>>;

/// What was observed of a fleet.
pub struct Observation {
    /// What the decision is made from.
    pub observed: Observed,
    /// The queue.
    pub sample: Sample,
    /// Where workers can be launched, with what was learned by now.
    pub offerings: Vec<OfferingStatus>,
    /// Boot times that the decision counts with.
    pub boot_seconds: Option<BootSeconds>,
    /// Jobs that one worker does each second.
    pub jobs_per_second: Option<f64>,
    /// Workers that had to be started again since the last list, and how often since their machines booted.
    pub restarted: Vec<(String, u32)>,
    /// Boots that ended since the last list.
    pub boots: Vec<learn::Boot>,
    /// What its instances cost.
    pub cost: Cost,
}

/// What an observation is put together from.
pub struct Sources<'a> {
    /// EC2's latest list.
    pub snapshot: Option<&'a Snapshot>,
    /// The queue.
    pub sample: Sample,
    /// What the gateways say.
    pub waiting: Waiting,
    /// What is wrong with the launch template.
    pub template: Option<&'a Fault>,
    /// What instances cost.
    pub prices: &'a Prices,
    /// Where they are.
    pub region: &'a str,
}

/// Puts together what the decision is made from.
pub fn observation(
    fleet: &ClassifierFleet,
    settings: &Fleet,
    memory: &Memory,
    uid: &str,
    sources: Sources<'_>,
    now: Timestamp,
) -> Observation {
    let Sources { snapshot, sample, waiting, template, prices, region } = sources;
    let status = fleet.status.clone().unwrap_or_default();
    let default_subnet = fleet.spec.workers.template.subnet_ids.is_empty();
    let listed: &[ec2::Instance] = snapshot.and_then(|snapshot| snapshot.by_fleet.get(uid)).map_or(&[], Vec::as_slice);
    let mut offerings = offerings::of_fleet(&settings.offerings, &status.offerings);
    let jobs_per_second = learn::jobs_per_second(listed, status.jobs_per_second_per_worker);
    let (mut restarted, mut boots, mut cost) = (Vec::new(), Vec::new(), Cost::default());
    let mut observed = memory.with(uid, |remembered| {
        if let Some(snapshot) = snapshot {
            restarted = learn::restarts(&mut remembered.restarts, listed);
            boots = learn::boots(&mut remembered.learned, &mut offerings, listed, default_subnet);
            let running = Running { listed, at: snapshot.at, region, first: settings.offerings.first(), jobs_per_second };
            cost = cost::cost(prices, &mut remembered.bills, running);
        }
        let depth = sample.as_ref().and_then(|sample| sample.as_ref().ok()).map(|(depth, _)| *depth);
        remember(remembered, &status, depth.map(|depth| depth.backlog(settings.counted)), now);
        Observed {
            queue: depth,
            failed_samples: remembered.failed_samples.as_ref().map_or(0, |failed| failed.count),
            waiting,
            // As the status shows it: the number must be the same when it is computed again from there.
            arrivals_per_second: (remembered.arrivals.per_second * 1000.0).round() / 1000.0,
            inventory: snapshot.map(|snapshot| Inventory {
                at: snapshot.at,
                instances: listed.iter().map(|it| instances::read(it, default_subnet, remembered.told.get(&it.id))).collect(),
            }),
            intents: status.launches.iter().map(intent).collect(),
            history: remembered.history.clone(),
            changes: remembered.changes.clone(),
            desired: u32::try_from(status.desired).unwrap_or(0),
            closed: offerings::closed(&offerings),
            learned: learn::learned(learn::boot_seconds(&offerings), jobs_per_second),
            rollout: Rollout::default(),
            launch_blocked: launch_blocked(remembered, template, now),
        }
    });
    observed.rollout = rollout(status.rollout.as_ref(), &observed, &settings.revision);
    let boot_seconds = learn::boot_seconds(&offerings);
    Observation { observed, sample, offerings, boot_seconds, jobs_per_second, restarted, boots, cost }
}

/// Brings what is remembered up to date. `backlog`: none when it could not be sampled, or nobody asked.
fn remember(remembered: &mut Remembered, status: &ClassifierFleetStatus, backlog: Option<u64>, now: Timestamp) {
    remembered.forget_told(now);
    if remembered.history.is_empty() {
        // A fresh operator takes the number it finds for recommended just now, so that its start never scales in.
        let workers = u32::try_from(status.desired).unwrap_or(0);
        remembered.history.push(Recommendation { at: now, workers });
    }
    if let Some(backlog) = backlog {
        let rate = status.jobs_per_second_per_worker.unwrap_or(0.0) * f64::from(status.workers.ready);
        remembered.arrivals = remembered.arrivals.seen(backlog, rate, now);
    }
}

/// Why no launch can be tried now.
fn launch_blocked(remembered: &Remembered, template: Option<&Fault>, now: Timestamp) -> Option<String> {
    let refusal = remembered.refusal.as_ref().filter(|refusal| refusal.until > now);
    let refused =
        refusal.map(|refusal| format!("EC2 refused the last launch ({}); the next one is tried after {:.0}.", refusal.code, refusal.until));
    refused.or_else(|| template.map(|fault| format!("Nothing can be launched without a launch template. {}", fault.message)))
}

/// How `revision` fares; a worker of it that is ready proves it.
fn rollout(status: Option<&RolloutStatus>, observed: &Observed, revision: &str) -> Rollout {
    let known = status.filter(|status| status.revision == revision);
    let mut instances = observed.inventory.iter().flat_map(|inventory| &inventory.instances);
    let ready = instances.any(|instance| instance.is_live() && instance.ready && instance.revision == revision);
    let known = known.map(|status| Rollout {
        proven: status.proven,
        never_ready: u32::try_from(status.never_ready).unwrap_or(0),
        failed_at: status.failed_at.as_ref().map(|time| time.0),
    });
    match known.unwrap_or_default() {
        _ if ready => Rollout { proven: true, never_ready: 0, failed_at: None },
        known => known,
    }
}

/// An intent in the words of `plan`.
pub(crate) fn intent(intent: &LaunchIntent) -> Intent {
    Intent {
        token: intent.token.clone(),
        action: match intent.action {
            LaunchAction::Launch => Action::Launch,
            LaunchAction::Start => Action::Start,
        },
        count: u32::try_from(intent.count).unwrap_or(0),
        offering: offerings::to_plan(&intent.offering),
        revision: intent.revision.clone(),
        requested_at: intent.requested_at.0,
        asked_at: intent.asked_at.as_ref().unwrap_or(&intent.requested_at).0,
        answered: intent.answered,
        instance_ids: intent.instance_ids.clone(),
    }
}
