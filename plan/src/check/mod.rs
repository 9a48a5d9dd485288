//! What every plan obeys, whatever was observed. Tests and the simulator call [`check`] on each plan. It counts for itself
//! rather than ask what decides: a mistake made in both places would not show.

mod removal;
mod sources;

use std::fmt;

use jiff::Timestamp;

use crate::{Alarm, Fleet, INTENT_KEPT, Instance, Observed, Offering, Plan, STALE_AFTER};

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
    let instances = observed.inventory.as_ref().map_or(&[][..], |inventory| &inventory.instances);
    let active: Vec<&Instance> = instances.iter().filter(|instance| instance.is_active() && !is_ended(plan, instance)).collect();
    let mut check = Check { fleet, observed, plan, now, instances, active, broken: Vec::new() };
    check.limits();
    check.knowledge();
    check.intents();
    check.sources();
    check.removals();
    check.availability();
    check.broken
}

fn is_ended(plan: &Plan, instance: &Instance) -> bool {
    plan.give_up.contains(&instance.id) || plan.terminate.iter().any(|ended| ended.id == instance.id)
}

struct Check<'a> {
    fleet: &'a Fleet,
    observed: &'a Observed,
    plan: &'a Plan,
    now: Timestamp,
    instances: &'a [Instance],
    /// Workers that take jobs or will, without those that the plan gives up or terminates.
    active: Vec<&'a Instance>,
    broken: Vec<Violation>,
}

impl Check<'_> {
    fn require(&mut self, holds: bool, promise: &str) {
        if !holds {
            self.broken.push(Violation(promise.to_owned()));
        }
    }

    fn find(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }

    fn is_fresh(&self) -> bool {
        self.observed.inventory.as_ref().is_some_and(|inventory| self.now.duration_since(inventory.at) <= STALE_AFTER)
    }

    /// Workers that the plan launches or starts, of one offering or of all.
    fn added(&self, offering: Option<&Offering>) -> u32 {
        let is_it = |other: &Offering| offering.is_none_or(|offering| offering == other);
        let started = self.plan.start.iter().filter(|start| is_it(&start.offering)).map(|start| start.ids.len()).sum();
        let launched: u32 = self.plan.launch.iter().filter(|launch| is_it(&launch.offering)).map(|launch| launch.count).sum();
        launched + number(started)
    }

    /// Workers that take jobs or will, without those that the plan gives up.
    fn capacity(&self) -> u32 {
        self.plan.census.capacity() - number(self.plan.give_up.len())
    }

    /// Workers of the current revision that the plan gives up.
    fn failing(&self) -> u32 {
        let current = |id: &&String| self.find(id).is_some_and(|instance| !self.is_outdated(instance));
        number(self.plan.give_up.iter().filter(current).count())
    }

    /// It had its time to register when EC2 was asked, and did not.
    fn is_late(&self, instance: &Instance) -> bool {
        let had = self.observed.inventory.as_ref().map(|inventory| inventory.at.duration_since(instance.boots_since));
        !instance.ready && had.is_some_and(|had| had > self.fleet.boot_timeout)
    }

    fn drained(&self) -> u32 {
        number(self.plan.drain.len())
    }

    fn is_outdated(&self, instance: &Instance) -> bool {
        instance.revision != self.fleet.revision
    }

    /// Workers of another revision are there.
    fn rolls(&self) -> bool {
        self.active.iter().any(|instance| self.is_outdated(instance))
    }

    /// A worker of the current revision was ready.
    fn proven(&self) -> bool {
        self.observed.rollout.proven || self.active.iter().any(|instance| instance.ready && !self.is_outdated(instance))
    }

    /// Workers that a roll-out may have beyond those wanted.
    fn surge(&self) -> u32 {
        if self.rolls() { self.fleet.update.max_surge } else { 0 }
    }

    /// Workers that may be missing: none but in a roll-out, and before the new revision has proven itself only if there may be
    /// none beyond those wanted.
    fn unavailable(&self) -> u32 {
        match (self.rolls(), self.proven()) {
            (false, _) => 0,
            (true, true) => self.fleet.update.max_unavailable,
            (true, false) => u32::from(self.fleet.update.max_surge == 0),
        }
    }

    fn limits(&mut self) {
        let (fleet, plan, added) = (self.fleet, self.plan, self.added(None));
        let live = plan.census.live() + added;
        let most = fleet.max.saturating_add(self.surge());
        self.require(added == 0 || live <= most, "a launch never takes the fleet above max, or max + maxSurge in a roll-out");
        let asked = plan.desired.saturating_add(self.surge()).max(plan.desired + fleet.pool.prepared);
        self.require(added == 0 || self.capacity() + added <= asked, "no more are launched than are wanted, replaced or prepared");
        self.require(added == 0 || plan.drain.is_empty() || self.rolls(), "a plan does not launch and drain at once, but in a roll-out");
        let paused = fleet.pause.paused || fleet.pause.workers.is_some() || fleet.pause.scale_in || fleet.pause.scale_out;
        match fleet.deleting {
            true => self.require(plan.desired == 0 && added == 0, "a fleet that is being deleted launches nothing"),
            false => {
                self.require(plan.desired <= fleet.max, "desired is at most max, whatever is paused");
                self.require(paused || plan.desired >= fleet.min, "desired is at least min");
            }
        }
        let nothing_left = fleet.deleting && self.is_fresh() && plan.census.total() == 0;
        self.require(plan.gone == nothing_left, "gone means that nothing is left");
        let runaway = self.is_fresh() && plan.census.live() > fleet.max.saturating_add(fleet.update.max_surge);
        let says_so = matches!(plan.alarm, Some(Alarm::Runaway { .. }));
        self.require(says_so == (runaway && !fleet.deleting), "more instances than there may be are told");
        self.require(!runaway || added == 0, "with more instances than there may be nothing is launched");
    }

    fn knowledge(&mut self) {
        let plan = self.plan;
        let removes = plan.told_to_leave().next().is_some() || !plan.terminate.is_empty() || plan.gone;
        let idle = self.added(None) == 0 && plan.settle.is_empty() && plan.keep.is_empty() && !removes;
        self.require(self.is_fresh() || idle, "without a fresh inventory nothing is launched, removed or forgotten");
    }

    fn intents(&mut self) {
        let find = |token: &String| self.observed.intents.iter().find(|intent| intent.token == *token);
        let served =
            |token: &String| find(token).is_some_and(|intent| intent.answered && self.now.duration_since(intent.asked_at) > INTENT_KEPT);
        let settled = self.plan.settle.iter().all(served);
        let open = self.plan.pursue.iter().all(|token| find(token).is_some_and(|intent| !intent.answered));
        let all = self.observed.intents.iter().filter(|intent| !intent.answered).all(|intent| self.plan.pursue.contains(&intent.token));
        self.require(settled, "an intent is forgotten only when EC2 has answered it, and older inventories have passed");
        self.require(open && all, "all unanswered intents are pursued, and no others");
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn are_distinct<'a>(ids: impl IntoIterator<Item = &'a String>) -> bool {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter().all(|id| seen.insert(id))
}
