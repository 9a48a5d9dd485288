//! Who is there: instances counted by what they are good for, launches under way included.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::{Fleet, Instance, Intent, Inventory, Observed, UNLISTED_GONE};

/// The fleet's instances, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Registered, not draining.
    pub ready: u32,
    /// Listed by EC2, not registered, not draining.
    pub booting: u32,
    /// Asked for or launched, and not listed by EC2 yet.
    pub coming: u32,
    /// Told to drain and not gone.
    pub draining: u32,
    /// Live, of another revision.
    pub outdated: u32,
    /// On their way to terminated.
    pub leaving: u32,
}

impl Census {
    /// Counts what was observed.
    #[must_use]
    pub fn take(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Self {
        let none = Vec::new();
        let instances = observed.inventory.as_ref().map_or(&none, |inventory| &inventory.instances);
        let number = |predicate: &dyn Fn(&Instance) -> bool| count(instances.iter().filter(|instance| predicate(instance)).count());
        Self {
            ready: number(&|instance| instance.is_active() && instance.ready),
            booting: number(&|instance| instance.is_active() && !instance.ready),
            coming: observed.intents.iter().map(|intent| coming(intent, observed.inventory.as_ref(), now)).sum(),
            draining: number(&|instance| instance.is_live() && instance.draining_since.is_some()),
            outdated: number(&|instance| instance.is_live() && instance.revision != fleet.revision),
            leaving: number(&|instance| instance.state == crate::State::ShuttingDown),
        }
    }

    /// Workers that take jobs or will: what `desired` is compared with.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.ready + self.booting + self.coming
    }

    /// Instances that live, draining ones too: what `max` bounds.
    #[must_use]
    pub fn live(&self) -> u32 {
        self.capacity() + self.draining
    }
}

/// Instances of an intent that EC2 has not listed, but may yet. Those of an unanswered intent are known by their token:
/// once listed they count as instances, and must not count here too.
fn coming(intent: &Intent, inventory: Option<&Inventory>, now: Timestamp) -> u32 {
    if intent.instance_ids.is_empty() {
        let listed = inventory.map_or(0, |inventory| inventory.launched_with(&intent.token).count());
        return intent.count.saturating_sub(count(listed));
    }
    if now.duration_since(intent.requested_at) > UNLISTED_GONE {
        return 0;
    }
    count(unlisted(intent, inventory).count())
}

/// Ids that EC2 answered a launch with and that the inventory has not shown.
pub(crate) fn unlisted<'a>(intent: &'a Intent, inventory: Option<&Inventory>) -> impl Iterator<Item = &'a String> {
    let listed: HashSet<String> = inventory.into_iter().flat_map(|inventory| &inventory.instances).map(|i| i.id.clone()).collect();
    intent.instance_ids.iter().filter(move |id| !listed.contains(*id))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
