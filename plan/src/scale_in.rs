//! Who goes, and what becomes of the stopped.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::inputs::is_worth_keeping;
use crate::{Fleet, Instance, Inventory, PAID_MINUTE, Reason, State, Termination, UNREADY_DRAIN};

/// How many may go, of those that are ready and of those that are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) total: u32,
    pub(crate) ready: u32,
    pub(crate) unready: u32,
}

/// Those of `candidates` that are missed least, as far as the budget goes: outdated (once the current revision has proven
/// itself), then never ready, then those not told to stay, then newest. Ties by id, so that two operators choose alike.
pub(crate) fn choose(fleet: &Fleet, mut candidates: Vec<&Instance>, mut budget: Budget, proven: bool) -> Vec<String> {
    candidates.sort_by_key(|instance| {
        let current = proven && instance.revision == fleet.revision;
        (current, instance.ready, instance.kept, Reverse(instance.launched_at), &instance.id)
    });
    let mut fits = |instance: &&Instance| {
        let left = if instance.ready { &mut budget.ready } else { &mut budget.unready };
        let fits = *left > 0 && budget.total > 0;
        if fits {
            *left -= 1;
            budget.total -= 1;
        }
        fits
    };
    candidates.retain(&mut fits);
    candidates.into_iter().map(|instance| instance.id.clone()).collect()
}

/// EC2 bills a minute at every start: ending a worker within it saves nothing, and it may be needed yet.
pub(crate) fn is_paid_for(instance: &Instance, now: Timestamp) -> bool {
    now.duration_since(instance.launched_at) < PAID_MINUTE
}

/// It has had its time to register by `listed`, when EC2 was asked, and is not seen to have: the list may lag behind it.
pub(crate) fn is_late(fleet: &Fleet, instance: &Instance, listed: Timestamp) -> bool {
    instance.is_live() && !instance.ready && listed.duration_since(instance.boots_since) > fleet.boot_timeout
}

/// An instance that was told to drain and has had its time by `listed`, when EC2 was asked: an older list does not know whether it
/// has left and come again. None goes unasked: one that is late may have registered where the list does not show it, and takes no
/// jobs once it is told. One that lists show unready for long enough after that never has.
pub(crate) fn overdue(fleet: &Fleet, instance: &Instance, listed: Timestamp) -> Option<Termination> {
    let had = listed.duration_since(instance.draining_since.filter(|_| instance.is_live())?);
    let reason = match () {
        () if is_late(fleet, instance, listed) && had > fleet.drain_timeout.min(UNREADY_DRAIN) => Reason::BootTimeout,
        () if had > fleet.drain_timeout => Reason::DrainDeadline,
        () => return None,
    };
    Some(Termination { id: instance.id.clone(), reason })
}

/// Stopped instances that are not kept. `started`: ids that are being started.
pub(crate) fn surplus_stopped(fleet: &Fleet, inventory: &Inventory, started: &HashSet<&str>, now: Timestamp) -> Vec<Termination> {
    let stopped = |instance: &&Instance| instance.state == State::Stopped && !started.contains(instance.id.as_str());
    let mut stopped: Vec<&Instance> = inventory.instances.iter().filter(stopped).collect();
    stopped.sort_by_key(|instance| (Reverse(instance.stopped_since), &instance.id));
    let mut kept = 0;
    let mut reason = |instance: &Instance| {
        let idle = now.duration_since(instance.stopped_since) > fleet.pool.idle.max(SignedDuration::ZERO);
        let reason = match () {
            () if fleet.deleting => Reason::Deleting,
            () if !is_worth_keeping(fleet, instance) => Reason::NotReusable,
            () if kept >= fleet.pool.max => Reason::PoolFull,
            () if idle && kept >= fleet.pool.prepared => Reason::PoolIdle,
            () => {
                kept += 1;
                return None;
            }
        };
        Some(reason)
    };
    stopped.into_iter().filter_map(|instance| Some(Termination { id: instance.id.clone(), reason: reason(instance)? })).collect()
}
