//! The number of workers, computed again from what the status says it was computed from.

use crds::{ClassifierFleet, ClassifierFleetStatus, Decision};
use plan::LimitedBy;
use serde::Serialize;

/// The number, computed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Recomputed {
    /// Workers wanted.
    pub desired: u32,
    /// It is the number that the operator decided.
    pub agrees: bool,
    /// The spec has changed since: where the numbers differ, that is no fault, and the operator decides anew.
    pub spec_changed: bool,
    /// How it comes about now.
    pub steps: Vec<String>,
    /// Why it may differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs_because: Vec<String>,
}

/// The number that today's spec and this program make of `decision`'s inputs.
#[must_use]
pub fn recompute(fleet: &ClassifierFleet, status: &ClassifierFleetStatus, decision: &Decision) -> Recomputed {
    let settings = fleet.settings(status.revision.as_deref().unwrap_or_default());
    let plan::Desired { workers, steps, .. } = plan::desired(&settings, &decision.inputs.to_plan());
    let agrees = i64::from(workers) == i64::from(status.desired);
    let newer = newer_spec(fleet, status);
    let spec_changed = newer.is_some();
    let differs_because = if agrees { Vec::new() } else { newer.into_iter().chain(reasons(fleet, decision, spec_changed)).collect() };
    Recomputed { desired: workers, agrees, spec_changed, steps, differs_because }
}

/// That the decision is of a spec before this one.
fn newer_spec(fleet: &ClassifierFleet, status: &ClassifierFleetStatus) -> Option<String> {
    let (now, then) = (fleet.metadata.generation?, status.observed_generation?);
    (now != then).then(|| {
        format!(
            "The spec has changed since: it is generation {now}, and the decision was made for {then}. The operator decides again within seconds, if it runs."
        )
    })
}

fn reasons(fleet: &ClassifierFleet, decision: &Decision, spec_changed: bool) -> Vec<String> {
    let mut reasons = Vec::new();
    let held = decision.limited_by == Some(LimitedBy::Pause.to_string());
    let pause = fleet.pause();
    if held != (pause != plan::Pause::default()) {
        let what = if held { "removed" } else { "set" };
        reasons.push(format!("A pause annotation may have been {what} since; that makes no new generation."));
    }
    if reasons.is_empty() && !spec_changed {
        reasons.push(format!(
            "The operator may be of another version than this program ({}), or does not run: it decides every few seconds.",
            env!("CARGO_PKG_VERSION")
        ));
    }
    reasons
}
