//! Who goes first.

use std::cmp::Reverse;

use crate::{Fleet, Inventory};

/// The `number` active instances that are missed least: outdated, then never ready, then newest. Ties by id, so that two
/// operators choose alike.
pub(crate) fn choose(fleet: &Fleet, inventory: &Inventory, spared: &[&str], number: u32) -> Vec<String> {
    let mut candidates: Vec<_> =
        inventory.instances.iter().filter(|instance| instance.is_active() && !spared.contains(&instance.id.as_str())).collect();
    candidates.sort_by_key(|instance| (instance.revision == fleet.revision, instance.ready, Reverse(instance.launched_at), &instance.id));
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    candidates.into_iter().take(number).map(|instance| instance.id.clone()).collect()
}
