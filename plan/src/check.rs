//! What every plan obeys, whatever was observed. Tests and the simulator call [`check`] on each plan.

use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;

use crate::{Fleet, Instance, Observed, Plan, Reason, STALE_AFTER};

/// A promise that a plan breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The promises that `plan`, made for `observed` at `now`, breaks.
#[must_use]
pub fn check(fleet: &Fleet, observed: &Observed, plan: &Plan, now: Timestamp) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut require = |holds: bool, promise: &str| {
        if !holds {
            broken.push(Violation(promise.to_owned()));
        }
    };
    limits(fleet, plan, &mut require);
    knowledge(observed, plan, now, &mut require);
    removals(fleet, observed, plan, now, &mut require);
    intents(observed, plan, &mut require);
    require(plan.launch == 0 || observed.launch_blocked.is_none(), "a blocked fleet launches nothing");
    broken
}

fn limits(fleet: &Fleet, plan: &Plan, require: &mut dyn FnMut(bool, &str)) {
    let live_after = plan.census.live() + plan.launch - ended(plan, Reason::BootTimeout);
    require(plan.launch == 0 || live_after <= fleet.max, "a launch never takes the fleet above max");
    require(plan.launch == 0 || plan.drain.is_empty(), "a plan does not launch and drain at once");
    match fleet.deleting {
        true => require(plan.desired == 0 && plan.launch == 0, "a fleet that is being deleted launches nothing"),
        false => require((fleet.min..=fleet.max).contains(&plan.desired), "desired lies between min and max"),
    }
    require(!plan.gone || (fleet.deleting && plan.census.live() == 0), "gone means that nothing lives");
}

fn knowledge(observed: &Observed, plan: &Plan, now: Timestamp, require: &mut dyn FnMut(bool, &str)) {
    let fresh = observed.inventory.as_ref().is_some_and(|inventory| now.duration_since(inventory.at) <= STALE_AFTER);
    let idle = plan.launch == 0 && plan.drain.is_empty() && plan.terminate.is_empty() && plan.settle.is_empty() && !plan.gone;
    require(fresh || idle, "without a fresh inventory nothing is launched, removed or forgotten");
}

fn removals(fleet: &Fleet, observed: &Observed, plan: &Plan, now: Timestamp, require: &mut dyn FnMut(bool, &str)) {
    let find = |id: &str| -> Option<&Instance> { observed.inventory.as_ref()?.instances.iter().find(|instance| instance.id == id) };
    let drained: HashSet<&str> = plan.drain.iter().map(String::as_str).collect();
    let terminated: HashSet<&str> = plan.terminate.iter().map(|ended| ended.id.as_str()).collect();
    require(drained.len() == plan.drain.len() && terminated.len() == plan.terminate.len(), "nothing is removed twice");
    require(drained.is_disjoint(&terminated), "an instance is drained or terminated, not both");
    require(drained.iter().all(|id| find(id).is_some_and(Instance::is_active)), "only active instances are drained");
    let kept = plan.census.capacity() - ended(plan, Reason::BootTimeout);
    let drain = u32::try_from(plan.drain.len()).unwrap_or(u32::MAX);
    require(drain == 0 || kept >= plan.desired + drain, "draining never goes below desired");
    let may_end = |id: &str| {
        find(id).is_some_and(|instance| match instance.draining_since {
            Some(since) => instance.is_live() && now.duration_since(since) > fleet.drain_timeout,
            None => instance.is_live() && !instance.ready && now.duration_since(instance.launched_at) > fleet.boot_timeout,
        })
    };
    require(terminated.iter().all(|id| may_end(id)), "a worker that is ready, or may still drain, is never terminated");
}

fn intents(observed: &Observed, plan: &Plan, require: &mut dyn FnMut(bool, &str)) {
    let answered =
        |token: &String| observed.intents.iter().find(|intent| intent.token == *token).map(|intent| !intent.instance_ids.is_empty());
    require(plan.settle.iter().all(|token| answered(token) == Some(true)), "an intent is forgotten only when EC2 has answered it");
    require(plan.pursue.iter().all(|token| answered(token) == Some(false)), "only unanswered intents are pursued");
    let unanswered = observed.intents.iter().filter(|intent| intent.instance_ids.is_empty()).count();
    require(plan.pursue.len() == unanswered, "every unanswered intent is pursued");
}

fn ended(plan: &Plan, reason: Reason) -> u32 {
    u32::try_from(plan.terminate.iter().filter(|ended| ended.reason == reason).count()).unwrap_or(u32::MAX)
}
