//! What an operator that has just begun takes over from the one before: a fleet whose status says that nothing was wrong is served
//! first and looked at later. To prepare a thousand fleets takes a minute or more, in which uploads would wait.

use crds::{ClassifierFleet, ClassifierFleetStatus, condition};
use jiff::{SignedDuration, Timestamp};

use super::gateway::NOT_READY;
use super::queues;
use super::{KEPT, Known, Needs, SPREAD_SECONDS, hash};
use crate::clouds::Cloud;
use crate::revision::Revision;

/// So many fleets are looked at in a second: as many as leave most of the time to those that have work.
const A_SECOND: u64 = 3;

/// What the status says of the needs of `fleet`, one of so many, and where its request queue is now. None: something was wrong, or is not
/// known, or the queue cannot be found.
pub(super) async fn needs(
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    uid: &str,
    revision: &Revision,
    fleets: usize,
    now: Timestamp,
) -> Option<Needs> {
    let status = fleet.status.as_ref()?;
    let generation = fleet.metadata.generation;
    let version = written_version(fleet, revision)?;
    if !was_well(status, generation) {
        return None;
    }
    let queue = queues::url(&cloud.sqs, &fleet.spec.queues.request.name).await.ok()??;
    Some(Needs {
        generation,
        revision: revision.name().to_owned(),
        at: now - (KEPT + super::spread(uid)) + turn(uid, fleets),
        failures: 0,
        names: Ok(()),
        queues: Ok(queue),
        buckets: Ok(()),
        template_version: Ok(version),
        gateway: Ok(()),
        // Whose they are is asked when they are looked at.
        known: Known::default(),
    })
}

/// What the status has for the version of the launch template: with a thousand fleets, to ask EC2 for each takes a minute at its
/// pace. Should the template be gone, the launch tells, and it is made again.
pub(super) fn written_version(fleet: &ClassifierFleet, revision: &Revision) -> Option<i64> {
    fleet.status.as_ref()?.rollout.as_ref()?.version_for(revision.name())
}

/// Since when the fleet may have been quiet: its status is written whenever something changes.
pub(super) fn quiet_since(fleet: &ClassifierFleet) -> Option<Timestamp> {
    Some(fleet.status.as_ref()?.decision.as_ref()?.at.0)
}

/// Nothing was wrong with what the operator makes; whether the gateway's pods run is not its doing.
fn was_well(status: &ClassifierFleetStatus, generation: Option<i64>) -> bool {
    let of = |type_: &str| {
        let mut conditions = status.conditions.iter().filter(|condition| condition.observed_generation == generation);
        conditions.find(|condition| condition.type_ == type_)
    };
    let queues = of(condition::QUEUES_READY).is_some_and(|queues| queues.status == "True");
    queues && of(condition::GATEWAY_READY).is_some_and(|gateway| gateway.status == "True" || gateway.reason == NOT_READY)
}

/// After how long it is its turn to be looked at.
fn turn(uid: &str, fleets: usize) -> SignedDuration {
    let seconds = (u64::try_from(fleets).unwrap_or(u64::MAX) / A_SECOND).clamp(1, SPREAD_SECONDS);
    SignedDuration::from_secs((hash(uid) % seconds).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_looked_at_at_once_and_many_one_after_the_other() {
        let last = |fleets| (0..1000).map(|uid| turn(&uid.to_string(), fleets).as_secs()).max().unwrap();
        assert_eq!([0, 1, 3, 30, 900, 100_000].map(last), [0, 0, 0, 9, 299, 299]);
    }
}
