//! Observe: what is, gathered for one fleet. Reads only.

pub mod gateways;
pub mod inventory;
pub mod queue;

use crds::{ClassifierFleet, LaunchIntent};
use ec2::{InstanceState, tags};
use jiff::Timestamp;
use plan::{Instance, Intent, Observed, QueueDepth, Recommendation, State};

use crate::memory::{Memory, Remembered, Told};
use crate::observe::inventory::Snapshot;
use crate::prepare::Fault;

/// What was observed of a fleet.
pub struct Observation {
    /// What the decision is made from.
    pub observed: Observed,
    /// The queue's depth and when it was sampled, or why not.
    pub sample: Option<Result<(QueueDepth, Timestamp), String>>,
}

/// Puts together what the decision is made from. `template` is what is wrong with the launch template.
pub fn observation(
    fleet: &ClassifierFleet,
    uid: &str,
    memory: &Memory,
    snapshot: Option<&Snapshot>,
    sample: Option<Result<(QueueDepth, Timestamp), String>>,
    template: Option<&Fault>,
    now: Timestamp,
) -> Observation {
    let status = fleet.status.clone().unwrap_or_default();
    let listed: &[ec2::Instance] = snapshot.and_then(|snapshot| snapshot.by_fleet.get(uid)).map_or(&[], Vec::as_slice);
    let desired = u32::try_from(status.desired).unwrap_or(0);
    let observed = memory.with(uid, |remembered| {
        remembered.forget_told(now);
        if remembered.history.is_empty() {
            // A fresh operator takes the number it finds for recommended just now, so that its start never scales in.
            remembered.history.push(Recommendation { at: now, workers: desired });
        }
        Observed {
            queue: sample.as_ref().and_then(|sample| sample.as_ref().ok()).map(|(depth, _)| *depth),
            inventory: snapshot.map(|snapshot| plan::Inventory {
                at: snapshot.at,
                instances: listed.iter().map(|instance| read(instance, remembered.told.get(&instance.id))).collect(),
            }),
            intents: status.launches.iter().map(intent).collect(),
            history: remembered.history.clone(),
            desired,
            launch_blocked: launch_blocked(remembered, template, now),
        }
    });
    Observation { observed, sample }
}

/// Why no launch can be tried now.
fn launch_blocked(remembered: &Remembered, template: Option<&Fault>, now: Timestamp) -> Option<String> {
    let refusal = remembered.refusal.as_ref().filter(|refusal| refusal.until > now);
    let refused =
        refusal.map(|refusal| format!("EC2 refused the last launch ({}); the next one is tried after {:.0}.", refusal.code, refusal.until));
    refused.or_else(|| template.map(|fault| format!("Nothing can be launched without a launch template. {}", fault.message)))
}

fn intent(intent: &LaunchIntent) -> Intent {
    Intent {
        token: intent.token.clone(),
        count: u32::try_from(intent.count).unwrap_or(0),
        requested_at: intent.requested_at.0,
        instance_ids: intent.instance_ids.clone(),
    }
}

/// An instance as EC2 lists it, with the orders that its list may not show yet laid over it.
fn read(instance: &ec2::Instance, told: Option<&Told>) -> Instance {
    let mut state = match instance.state {
        InstanceState::Pending => State::Pending,
        InstanceState::Running => State::Running,
        InstanceState::Stopping => State::Stopping,
        InstanceState::Stopped => State::Stopped,
        InstanceState::ShuttingDown => State::ShuttingDown,
        InstanceState::Terminated => State::Terminated,
    };
    if matches!(told, Some(Told::Terminate(_))) && state != State::Terminated {
        state = State::ShuttingDown;
    }
    Instance {
        id: instance.id.clone(),
        state,
        launched_at: instance.launched_at,
        revision: instance.tag(tags::REVISION).unwrap_or_default().to_owned(),
        token: instance.tag(tags::TOKEN).unwrap_or_default().to_owned(),
        ready: instance.tag(tags::READY).is_some(),
        draining_since: draining_since(instance).or(match told {
            Some(Told::Drain(since)) => Some(*since),
            _ => None,
        }),
    }
}

/// Since when the instance has the order to drain. An order without a readable time counts from the launch: then it is
/// overdue at once rather than never.
fn draining_since(instance: &ec2::Instance) -> Option<Timestamp> {
    if instance.tag(tags::INTENT)? != tags::DRAIN {
        return None;
    }
    Some(instance.tag(tags::INTENT_AT).and_then(|text| text.parse().ok()).unwrap_or(instance.launched_at))
}
