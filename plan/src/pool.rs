//! Stopped workers that are made in advance: how many are lacking.

use jiff::Timestamp;

use crate::census::{count, is_being_started};
use crate::inputs::is_fit_for_pool;
use crate::{Fleet, Instance, Inventory, Observed, State};

/// Workers that the pool lacks of those made in advance: stopped ones count, and those on their way there.
pub(crate) fn to_prepare(fleet: &Fleet, observed: &Observed, inventory: &Inventory, now: Timestamp) -> u32 {
    let can_stop = fleet.offerings.iter().any(|offering| !offering.spot);
    if fleet.deleting || !can_stop {
        return 0;
    }
    let on_the_way = |instance: &Instance| match instance.state {
        State::Stopped => instance.reusable && !is_being_started(observed, instance, now),
        State::Stopping => (instance.ready || instance.reusable) && !is_being_started(observed, instance, now),
        State::Pending | State::Running => instance.draining_since.is_some() && instance.ready,
        State::ShuttingDown | State::Terminated => false,
    };
    let there = inventory.instances.iter().filter(|instance| is_fit_for_pool(fleet, instance) && on_the_way(instance));
    fleet.pool.prepared.min(fleet.pool.max).saturating_sub(count(there.count()))
}
