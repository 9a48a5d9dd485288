//! What is being done: launches, closed offerings, the roll-out. From the status alone.

use crds::{ClassifierFleet, ClassifierFleetStatus, LaunchAction, LaunchIntent, Offering, OfferingStatus, RolloutStatus};
use jiff::Timestamp;
use serde::Serialize;

use crate::words::{ago, count, span};

/// A launch or a start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnderWay {
    /// In a sentence.
    pub sentence: String,
    /// As the operator wrote it down.
    #[serde(flatten)]
    pub intent: LaunchIntent,
}

/// An offering that EC2 refused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Closed {
    /// In a sentence.
    pub sentence: String,
    /// As the operator wrote it down.
    #[serde(flatten)]
    pub offering: OfferingStatus,
}

/// How a new revision fares.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// In a sentence.
    pub sentence: String,
    /// What new workers are made from.
    pub revision: String,
    /// Workers of other revisions.
    pub outdated: i32,
    /// It does not work: nothing is replaced by it.
    pub stalled: bool,
}

/// As in `plan`: a roll-out stops after so many workers in a row that were never ready.
const STALLED_AFTER: i32 = 2;

pub(super) fn launches(status: &ClassifierFleetStatus, now: Timestamp) -> Vec<UnderWay> {
    let sentence = |intent: &LaunchIntent| {
        let (doing, done) = match intent.action {
            LaunchAction::Launch => ("Launching", "Launched"),
            LaunchAction::Start => ("Starting", "Started"),
        };
        let since = ago(intent.requested_at.0, now);
        let (number, offering) = (intent.count, name(&intent.offering));
        match (intent.answered, intent.instance_ids.is_empty()) {
            (false, _) => format!("{doing} {number} {offering}, asked for {since}: EC2 has not answered yet."),
            (true, true) => format!("{done} {number} {offering}, asked for {since}."),
            (true, false) => format!("{done} {number} {offering}, asked for {since}: {}.", intent.instance_ids.join(", ")),
        }
    };
    status.launches.iter().map(|intent| UnderWay { sentence: sentence(intent), intent: intent.clone() }).collect()
}

pub(super) fn closed(status: &ClassifierFleetStatus, now: Timestamp) -> Vec<Closed> {
    let refused = status.offerings.iter().filter(|offering| offering.unavailable_until.is_some());
    refused.map(|offering| Closed { sentence: closed_sentence(offering, now), offering: offering.clone() }).collect()
}

fn closed_sentence(closed: &OfferingStatus, now: Timestamp) -> String {
    let offering = name(&closed.offering);
    let reason = closed.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let probe = i64::from(closed.probe.unwrap_or(1));
    let until = closed.unavailable_until.as_ref().map(|time| time.0).filter(|until| *until > now);
    match until {
        Some(until) => {
            let left = jiff::SignedDuration::from_secs(until.duration_since(now).as_secs());
            format!(
                "{offering} is closed until {until:.0}, {} from now{reason}. Then {} at once is tried.",
                span(left),
                count(probe, "worker")
            )
        }
        None => {
            format!("{offering} was closed{reason}. It is tried again with {} at once; each success doubles that.", count(probe, "worker"))
        }
    }
}

/// Its workers are never ready: nothing more is replaced by them.
pub(crate) fn is_stalled(rollout: &RolloutStatus) -> bool {
    !rollout.proven && rollout.never_ready >= STALLED_AFTER
}

pub(super) fn rollout(fleet: &ClassifierFleet, status: &ClassifierFleetStatus) -> Option<Rollout> {
    let rollout = status.rollout.as_ref()?;
    let (revision, outdated) = (rollout.revision.clone(), status.workers.outdated);
    let stalled = is_stalled(rollout);
    let old = count(i64::from(outdated), "worker");
    let failed = count(i64::from(rollout.never_ready), "worker");
    let update = &fleet.spec.workers.update;
    let sentence = match () {
        () if stalled => format!(
            "Stopped: {failed} of revision {revision} in a row were never ready, so {old} of earlier revisions stay. Look at an instance's console output; image, instance profile, network and model are the usual causes. A changed workers.template is a new revision."
        ),
        () if outdated == 0 && rollout.never_ready == 0 => return None,
        () if outdated == 0 => {
            format!("{failed} of revision {revision} in a row were never ready; after {STALLED_AFTER} its roll-out stops.")
        }
        () if rollout.proven => format!(
            "{old} of earlier revisions {} to be replaced by {revision}: at most {} missing and {} more than wanted meanwhile (workers.update).",
            if outdated == 1 { "is" } else { "are" },
            update.max_unavailable,
            update.max_surge
        ),
        () => format!("Revision {revision} is new: one worker of it must be ready before any of the {outdated} others is replaced."),
    };
    Some(Rollout { sentence, revision, outdated, stalled })
}

fn name(offering: &Offering) -> String {
    plan::Offering { instance_type: offering.instance_type.clone(), subnet_id: offering.subnet_id.clone(), spot: offering.spot }.to_string()
}
