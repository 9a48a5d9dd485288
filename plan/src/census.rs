//! Who is there: instances counted by what they are good for, launches and starts under way included.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::{Action, Fleet, Instance, Intent, Inventory, Observed, State, UNLISTED_GONE};

/// The fleet's instances, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Registered, not draining.
    pub ready: u32,
    /// Listed by EC2, not registered, not draining.
    pub booting: u32,
    /// Asked for, launched or started, and not listed so by EC2 yet.
    pub coming: u32,
    /// Told to drain and not gone.
    pub draining: u32,
    /// Live, of another revision.
    pub outdated: u32,
    /// On their way to stopped.
    pub stopping: u32,
    /// Stopped, and not being started.
    pub stopped: u32,
    /// On their way to terminated.
    pub leaving: u32,
}

impl Census {
    /// Counts what was observed.
    #[must_use]
    pub fn take(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Self {
        let inventory = observed.inventory.as_ref();
        let instances: &[Instance] = inventory.map_or(&[], |inventory| &inventory.instances);
        let number = |predicate: &dyn Fn(&Instance) -> bool| count(instances.iter().filter(|instance| predicate(instance)).count());
        let being_started = |instance: &Instance| is_being_started(observed, instance, now);
        Self {
            ready: number(&|instance| instance.is_active() && instance.ready),
            booting: number(&|instance| instance.is_active() && !instance.ready),
            coming: observed.intents.iter().map(|intent| coming(intent, inventory, now)).sum(),
            draining: number(&|instance| instance.is_live() && !instance.is_active() && !being_started(instance)),
            outdated: number(&|instance| instance.is_live() && instance.revision != fleet.revision),
            stopping: number(&|instance| instance.state == State::Stopping && !being_started(instance)),
            stopped: number(&|instance| instance.state == State::Stopped && !being_started(instance)),
            leaving: number(&|instance| instance.state == State::ShuttingDown),
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

    /// Instances that are not terminated.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.live() + self.stopping + self.stopped + self.leaving
    }
}

/// Instances of an intent that EC2 has not listed as asked for, but may yet. Those of an unanswered launch are known by
/// their token: once listed they count as instances, and must not count here too.
pub(crate) fn coming(intent: &Intent, inventory: Option<&Inventory>, now: Timestamp) -> u32 {
    match intent.action {
        _ if !counts(intent, now) => 0,
        Action::Launch if !intent.answered => {
            let listed = inventory.map_or(0, |inventory| inventory.launched_with(&intent.token).count());
            intent.count.saturating_sub(count(listed))
        }
        Action::Launch => count(unlisted(intent, inventory).count()),
        Action::Start => {
            let instances = inventory.into_iter().flat_map(|inventory| &inventory.instances);
            count(instances.filter(|instance| intent.starts_unseen(instance)).count())
        }
    }
}

/// A start of `instance` was written down, and EC2's list does not show it yet, but may.
pub(crate) fn is_being_started(observed: &Observed, instance: &Instance, now: Timestamp) -> bool {
    observed.intents.iter().any(|intent| intent.starts_unseen(instance) && counts(intent, now))
}

/// What EC2 has answered and never shows is gone; what it has not answered is never dropped on a guess.
fn counts(intent: &Intent, now: Timestamp) -> bool {
    !intent.answered || now.duration_since(intent.asked_at) <= UNLISTED_GONE
}

/// Ids that EC2 answered a launch with and that the inventory has not shown.
pub(crate) fn unlisted<'a>(intent: &'a Intent, inventory: Option<&'a Inventory>) -> impl Iterator<Item = &'a String> {
    let instances = inventory.into_iter().flat_map(|inventory| &inventory.instances);
    let listed: HashSet<&str> = instances.map(|instance| instance.id.as_str()).collect();
    intent.instance_ids.iter().filter(move |id| !listed.contains(id.as_str()))
}

pub(crate) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
