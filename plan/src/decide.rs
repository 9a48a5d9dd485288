//! The decision: what should be, from what is.

use jiff::Timestamp;

use crate::census::unlisted;
use crate::desired::{Desired, desired};
use crate::scale_in::choose;
use crate::{Census, Fleet, INTENT_KEPT, Instance, Intent, Inventory, Observed, Plan, Reason, STALE_AFTER, Termination, UNLISTED_GONE};

/// What to do now. The same arguments give the same plan, in every operator.
#[must_use]
pub fn decide(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Plan {
    let Desired { workers, recommendation, limited_by, mut steps } = desired(fleet, observed, now);
    let census = Census::take(fleet, observed, now);
    let pursue = observed.intents.iter().filter(|intent| intent.instance_ids.is_empty()).map(|intent| intent.token.clone()).collect();
    let mut plan = Plan {
        desired: workers,
        recommendation,
        steps: Vec::new(),
        limited_by,
        launch: 0,
        pursue,
        settle: Vec::new(),
        drain: Vec::new(),
        terminate: Vec::new(),
        gone: false,
        census,
    };
    match fresh(observed, now) {
        Some(inventory) => act_on(fleet, observed, inventory, now, &mut plan, &mut steps),
        None => steps.push("EC2's list of instances is missing or too old: nothing is launched or removed.".to_owned()),
    }
    plan.steps = steps;
    plan
}

fn fresh(observed: &Observed, now: Timestamp) -> Option<&Inventory> {
    observed.inventory.as_ref().filter(|inventory| now.duration_since(inventory.at) <= STALE_AFTER)
}

fn act_on(fleet: &Fleet, observed: &Observed, inventory: &Inventory, now: Timestamp, plan: &mut Plan, steps: &mut Vec<String>) {
    plan.settle = settled(&observed.intents, inventory, now);
    plan.terminate = inventory.instances.iter().filter_map(|instance| overdue(fleet, instance, now)).collect();
    for Termination { id, reason } in &plan.terminate {
        steps.push(format!("{id} is terminated: {reason}."));
    }
    let never_ready = plan.terminate.iter().filter(|ended| ended.reason == Reason::BootTimeout).count();
    let never_ready = u32::try_from(never_ready).unwrap_or(u32::MAX);
    let capacity = plan.census.capacity().saturating_sub(never_ready);
    if capacity < plan.desired {
        plan.launch = match &observed.launch_blocked {
            Some(reason) => blocked(reason, steps),
            None => launchable(fleet, plan, plan.desired - capacity, never_ready, steps),
        };
    } else if capacity > plan.desired {
        let ended: Vec<&str> = plan.terminate.iter().map(|ended| ended.id.as_str()).collect();
        plan.drain = choose(fleet, inventory, &ended, capacity - plan.desired);
        steps.push(format!("Draining {} of {capacity}.", plan.drain.len()));
    }
    plan.gone = fleet.deleting && plan.census.live() == 0 && plan.census.leaving == 0;
}

fn blocked(reason: &str, steps: &mut Vec<String>) -> u32 {
    steps.push(reason.to_owned());
    0
}

/// Instances to launch: what is missing, as far as `max` has room. Draining instances still live and are paid for.
fn launchable(fleet: &Fleet, plan: &Plan, missing: u32, never_ready: u32, steps: &mut Vec<String>) -> u32 {
    let live = plan.census.live() - never_ready;
    let launch = missing.min(fleet.max.saturating_sub(live));
    if launch > 0 {
        steps.push(format!(
            "Launching {launch}; {} ready, {} on their way.",
            plan.census.ready,
            plan.census.capacity() - never_ready - plan.census.ready
        ));
    }
    if launch < missing {
        steps.push(format!(
            "{} more must wait: with those that drain, {live} instances live, and workers.max is {}.",
            missing - launch,
            fleet.max
        ));
    }
    launch
}

/// An instance that has had its time. One that is ready and not draining never has.
fn overdue(fleet: &Fleet, instance: &Instance, now: Timestamp) -> Option<Termination> {
    if !instance.is_live() {
        return None;
    }
    let reason = match instance.draining_since {
        Some(since) if now.duration_since(since) > fleet.drain_timeout => Reason::DrainDeadline,
        None if !instance.ready && now.duration_since(instance.launched_at) > fleet.boot_timeout => Reason::BootTimeout,
        _ => return None,
    };
    Some(Termination { id: instance.id.clone(), reason })
}

/// Intents that have served: EC2 lists all they launched, and every operator's inventory is younger than they are.
fn settled(intents: &[Intent], inventory: &Inventory, now: Timestamp) -> Vec<String> {
    let served = |intent: &&Intent| {
        let age = now.duration_since(intent.requested_at);
        let listed = unlisted(intent, Some(inventory)).next().is_none() && age > INTENT_KEPT;
        !intent.instance_ids.is_empty() && (listed || age > UNLISTED_GONE)
    };
    intents.iter().filter(served).map(|intent| intent.token.clone()).collect()
}
