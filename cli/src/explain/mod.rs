//! The last decision of a fleet, explained from its status, and made again with the operator's own code.

mod recompute;
mod text;
mod under_way;

pub use recompute::{Recomputed, recompute};
pub(crate) use text::Sheet;
pub use text::text;
pub(crate) use under_way::is_stalled;
pub use under_way::{Closed, Rollout, UnderWay};

use crds::{ClassifierFleet, Decision, WorkersStatus, condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt as _;
use plan::LimitedBy;
use serde::Serialize;

/// All there is to say of a fleet's last decision.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Generation of its spec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// Generation that the status speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Workers wanted.
    pub desired: i32,
    /// Workers there are.
    pub workers: WorkersStatus,
    /// The decision, as the operator wrote it; none before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What the limit that binds means, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// The number, computed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recomputed: Option<Recomputed>,
    /// Launches and starts.
    pub launches: Vec<UnderWay>,
    /// Offerings where nothing, or little, can be launched now.
    pub closed: Vec<Closed>,
    /// How a new revision fares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,
    /// Conditions that are not as they should be.
    pub conditions: Vec<Condition>,
}

impl Explanation {
    /// The explanation of `fleet`'s status at `now`.
    #[must_use]
    pub fn of(fleet: &ClassifierFleet, now: Timestamp) -> Self {
        let status = fleet.status.clone().unwrap_or_default();
        Self {
            namespace: fleet.namespace(),
            name: fleet.name_any(),
            generation: fleet.metadata.generation,
            observed_generation: status.observed_generation,
            desired: status.desired,
            limit: status.decision.as_ref().and_then(|decision| decision.limited_by.as_deref()).map(|limit| limit_meaning(limit, fleet)),
            recomputed: status.decision.as_ref().map(|decision| recompute(fleet, &status, decision)),
            launches: under_way::launches(&status, now),
            closed: under_way::closed(&status, now),
            rollout: under_way::rollout(fleet, &status),
            conditions: unusual(&status.conditions),
            workers: status.workers,
            decision: status.decision,
        }
    }

    /// The decision holds when it is made again, or is of a spec that has changed since.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.recomputed.as_ref().is_none_or(|recomputed| recomputed.agrees || recomputed.spec_changed)
    }
}

/// What the limit means and what can be done, for people.
fn limit_meaning(limit: &str, fleet: &ClassifierFleet) -> String {
    let is = |other: LimitedBy| limit == other.to_string();
    match () {
        () if is(LimitedBy::Max) => "More workers are wanted than workers.max allows. Raise it for more, and EC2's bill with it.".to_owned(),
        () if is(LimitedBy::Min) => "Fewer workers would do, but workers.min keeps more.".to_owned(),
        () if is(LimitedBy::ScaleUpPolicy) => "scaling.behavior.scaleUp lets the number rise no faster.".to_owned(),
        () if is(LimitedBy::ScaleDownPolicy) => "scaling.behavior.scaleDown lets the number fall no faster.".to_owned(),
        () if is(LimitedBy::BootTime) => {
            "scaling.target.drainSeconds cannot be met: new workers would be ready too late, or workers.max is too low. A warm pool, a higher min or a longer drainSeconds helps."
                .to_owned()
        }
        () if is(LimitedBy::Pause) => {
            "An annotation classifierfleet.dev/paused… holds the number. Remove it (kubectl annotate cfleet NAME classifierfleet.dev/paused-) to follow the queue again."
                .replace("NAME", &fleet.name_any())
        }
        () => format!("{limit} binds."),
    }
}

/// Those that are not as they should be; Ready only where it says something of its own.
pub(crate) fn unusual(conditions: &[Condition]) -> Vec<Condition> {
    let bad_when = |type_: &str| if matches!(type_, condition::SCALING_LIMITED | condition::DEGRADED) { "True" } else { "False" };
    let bad: Vec<&Condition> =
        conditions.iter().filter(|condition| condition.status == bad_when(&condition.type_) || condition.status == "Unknown").collect();
    let repeats = |ready: &Condition| {
        ready.type_ == condition::READY && bad.iter().any(|other| other.type_ != condition::READY && other.message == ready.message)
    };
    bad.iter().filter(|condition| !repeats(condition)).map(|condition| (*condition).clone()).collect()
}
