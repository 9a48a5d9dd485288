//! Instances as EC2 lists them, in the words of `plan`, with the orders that its list may not show yet laid over. Pure.

use ec2::{InstanceState, tags};
use jiff::{SignedDuration, Timestamp};
use plan::{Instance, Offering, State};
use serde::Deserialize;

use crate::memory::Told;

/// What a worker says of itself when it is ready.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// When.
    pub at: Timestamp,
    /// Images that it classifies each second, as it measured.
    #[serde(default)]
    pub images_per_second: Option<f64>,
}

/// What a worker says of itself when it had to be started again.
#[derive(Debug, Clone, Deserialize)]
struct Restarted {
    /// When.
    at: Timestamp,
    /// How often since the machine booted.
    count: u32,
}

/// A worker that was started again so often since its machine booted gets no more time to become ready: another machine may do
/// better.
pub const MOST_RESTARTS: u32 = 5;

/// EC2 tells times of launches in whole seconds, workers theirs too.
const ROUNDING_SECONDS: i64 = 1;

/// What `instance` said of itself, if that was since its last start, by EC2's clock and by the order that we gave, and since its
/// worker was last started again.
pub fn registered(instance: &ec2::Instance) -> Option<Ready> {
    let started: Option<Timestamp> = instance.tag(tags::STARTED).and_then(|text| text.parse().ok());
    let restarted = restarted(instance).map(|restarted| restarted.at);
    said_since(instance, [started, restarted].into_iter().flatten().fold(instance.launched_at, Timestamp::max))
}

fn restarted(instance: &ec2::Instance) -> Option<Restarted> {
    let restarted: Restarted = serde_json::from_str(instance.tag(tags::RESTARTED)?).ok()?;
    (restarted.at >= instance.launched_at).then_some(restarted)
}

/// How often its worker was started again since its machine booted.
pub fn restarts(instance: &ec2::Instance) -> u32 {
    restarted(instance).map_or(0, |restarted| restarted.count)
}

/// Since when its worker has had to become ready.
fn boots_since(instance: &ec2::Instance) -> Timestamp {
    let restarted = restarted(instance).filter(|restarted| restarted.count < MOST_RESTARTS);
    restarted.map_or(instance.launched_at, |restarted| restarted.at)
}

fn said_since(instance: &ec2::Instance, since: Timestamp) -> Option<Ready> {
    let ready: Ready = serde_json::from_str(instance.tag(tags::READY)?).ok()?;
    (ready.at.as_second() + ROUNDING_SECONDS >= since.as_second()).then_some(ready)
}

/// Whether the instance was started again rather than launched.
pub fn is_warm(instance: &ec2::Instance) -> bool {
    instance.tag(tags::STARTED).is_some()
}

/// Where and as what; `default_subnet`: the fleet names no subnet, so EC2's choice is not to be told apart.
pub fn offering(instance: &ec2::Instance, default_subnet: bool) -> Offering {
    Offering {
        instance_type: instance.instance_type.clone(),
        subnet_id: instance.subnet_id.clone().filter(|_| !default_subnet),
        spot: instance.spot,
    }
}

/// An instance in the words of `plan`; `told` is what it was told a moment ago.
pub fn read(instance: &ec2::Instance, default_subnet: bool, told: Option<&Told>) -> Instance {
    let state = match instance.state {
        _ if matches!(told, Some(Told::Terminate(_))) && instance.state != InstanceState::Terminated => State::ShuttingDown,
        InstanceState::Pending => State::Pending,
        InstanceState::Running => State::Running,
        InstanceState::Stopping => State::Stopping,
        InstanceState::Stopped => State::Stopped,
        InstanceState::ShuttingDown => State::ShuttingDown,
        InstanceState::Terminated => State::Terminated,
    };
    let ready = registered(instance);
    let told_to_drain = match told {
        Some(Told::Drain(since)) if *since >= instance.launched_at => Some(*since),
        _ => None,
    };
    Instance {
        id: instance.id.clone(),
        state,
        launched_at: instance.launched_at,
        offering: offering(instance, default_subnet),
        revision: instance.tag(tags::REVISION).unwrap_or_default().to_owned(),
        token: instance.tag(tags::TOKEN).unwrap_or_default().to_owned(),
        ready: ready.is_some(),
        // An order to start that EC2 never got changes nothing of what the instance is.
        reusable: said_since(instance, instance.launched_at).is_some(),
        jobs_per_second: ready.and_then(|ready| ready.images_per_second).filter(|rate| rate.is_finite() && *rate > 0.0),
        warm: is_warm(instance),
        kept: instance.tag(tags::INTENT) == Some(tags::KEEP) || matches!(told, Some(Told::Keep(_))),
        draining_since: draining_since(instance).or(told_to_drain),
        boots_since: boots_since(instance),
        stopped_since: ordered_at(instance).unwrap_or(instance.launched_at),
    }
}

/// Since when the instance has the order to drain. An order without a readable time counts from the launch: then it is
/// overdue at once rather than never. One from before its last start is over: it has left and come again. Orders tell whole
/// seconds, of which the end counts: nobody has less time than was promised.
fn draining_since(instance: &ec2::Instance) -> Option<Timestamp> {
    if instance.tag(tags::INTENT)? != tags::DRAIN {
        return None;
    }
    let Some(ordered) = ordered_at(instance) else { return Some(instance.launched_at) };
    let is_current = ordered.as_second() + ROUNDING_SECONDS >= instance.launched_at.as_second();
    is_current.then(|| ordered + SignedDuration::from_secs(ROUNDING_SECONDS))
}

fn ordered_at(instance: &ec2::Instance) -> Option<Timestamp> {
    instance.tag(tags::INTENT_AT)?.parse().ok()
}
