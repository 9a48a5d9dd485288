//! What is promised of workers that go.

use super::{Check, are_distinct, number};
use crate::rollout::is_stalled;
use crate::{Action, Instance, PAID_MINUTE, Reason, State, Termination, UNREADY_DRAIN};

impl Check<'_> {
    pub(super) fn removals(&mut self) {
        let plan = self.plan;
        let terminated: Vec<&String> = plan.terminate.iter().map(|ended| &ended.id).collect();
        self.require(are_distinct(&plan.drain) && are_distinct(terminated.iter().copied()), "nothing is removed twice");
        self.require(!plan.drain.iter().any(|id| terminated.contains(&id)), "an instance is drained or terminated, not both");
        let late: Vec<&String> = self.instances.iter().filter(|it| it.is_active() && self.is_late(it)).map(|it| &it.id).collect();
        let given_up = plan.give_up.iter().all(|id| late.contains(&id) && !plan.drain.contains(id));
        self.require(given_up && are_distinct(&plan.give_up), "only who is late to register is given up, and not drained as well");
        let all = late.len() == plan.give_up.len();
        self.require(all || !self.is_fresh(), "who is late to register is given up");
        let active = plan.drain.iter().all(|id| self.find(id).is_some_and(Instance::is_active));
        self.require(active, "only active instances are drained");
        let ended = plan.terminate.iter().all(|ended| self.may_end(ended));
        self.require(ended, "a worker that is ready, may still drain, or is kept by the pool is never terminated");
        let stay = plan.keep.iter().all(|id| self.find(id).is_some_and(|it| it.is_active() && it.ready) && !plan.drain.contains(id));
        self.require(stay && are_distinct(&plan.keep) && number(plan.keep.len()) <= plan.desired, "those that stay are ready, and wanted");
        self.paid_minute();
        self.pool();
        let goes = |it: &&Instance| plan.told_to_leave().any(|id| *id == it.id) || terminated.contains(&&it.id);
        let named = |it: &Instance| {
            self.observed.intents.iter().any(|intent| intent.action == Action::Start && intent.instance_ids.contains(&it.id))
        };
        let there = |it: &&Instance| it.is_active() || (it.state == State::Stopped && !named(it));
        let all_go = self.instances.iter().filter(there).all(|instance| goes(&instance));
        self.require(!self.fleet.deleting || !self.is_fresh() || all_go, "all instances of a deleted fleet go");
    }

    fn may_end(&self, Termination { id, reason }: &Termination) -> bool {
        let (Some(instance), Some(inventory)) = (self.find(id), &self.observed.inventory) else { return false };
        let (now, fleet) = (self.now, self.fleet);
        let stopped = instance.state == State::Stopped;
        let can_be_used = instance.reusable
            && !instance.offering.spot
            && instance.revision == fleet.revision
            && fleet.offerings.contains(&instance.offering);
        let drains_for = instance.draining_since.map(|since| inventory.at.duration_since(since));
        let being_started = self.observed.intents.iter().any(|intent| !intent.answered && intent.starts_unseen(instance));
        let had_time_to_leave = |time| !being_started && instance.is_live() && drains_for.is_some_and(|drains_for| drains_for > time);
        match reason {
            Reason::DrainDeadline => had_time_to_leave(fleet.drain_timeout),
            Reason::BootTimeout => self.is_late(instance) && had_time_to_leave(fleet.drain_timeout.min(UNREADY_DRAIN)),
            Reason::Deleting => stopped && !being_started && fleet.deleting,
            Reason::NotReusable => stopped && !being_started && !can_be_used,
            Reason::PoolFull => stopped && !being_started && can_be_used,
            Reason::PoolIdle => stopped && !being_started && now.duration_since(instance.stopped_since) > fleet.pool.idle,
        }
    }

    fn paid_minute(&mut self) {
        let follows_queue = self.plan.recommendation.is_some() && self.capacity() <= self.fleet.max && self.fleet.pool.prepared == 0;
        let young = |it: &Instance| self.now.duration_since(it.launched_at) < PAID_MINUTE && !self.is_outdated(it);
        let any = self.plan.drain.iter().any(|id| self.find(id).is_some_and(young));
        self.require(!follows_queue || !any, "a worker is not ended in its first paid minute while it may be needed");
    }

    /// The pool loses workers only as far as it has more than it keeps.
    fn pool(&mut self) {
        let lost = |reason: Reason| self.plan.terminate.iter().filter(move |ended| ended.reason == reason).count();
        let (full, idle) = (lost(Reason::PoolFull), lost(Reason::PoolIdle));
        let leaves = |it: &&Instance| !self.plan.terminate.iter().any(|ended| ended.id == it.id);
        let started = |it: &&Instance| self.plan.start.iter().any(|start| start.ids.contains(&it.id));
        let kept = self.instances.iter().filter(|it| it.state == State::Stopped).filter(|it| leaves(it) && !started(it)).count();
        let (max, prepared) = (self.fleet.pool.max as usize, self.fleet.pool.prepared.min(self.fleet.pool.max) as usize);
        self.require(full == 0 || kept >= max, "the pool is filled before a worker of it is terminated");
        self.require(idle == 0 || kept >= prepared, "prepared workers do not expire");
    }

    pub(super) fn availability(&mut self) {
        let (desired, drained) = (self.plan.desired, self.drained());
        let ready = |it: &&&Instance| it.ready;
        let there = number(self.active.iter().filter(ready).count());
        let going = number(self.active.iter().filter(ready).filter(|it| self.plan.drain.contains(&it.id)).count());
        let least = desired.saturating_sub(self.unavailable());
        self.require(going == 0 || there - going >= least, "as many stay ready as are wanted, less maxUnavailable in a roll-out");
        self.require(drained == 0 || self.capacity() - drained >= least, "draining never goes below desired");
        let stalled = is_stalled(self.observed, self.failing(), self.proven());
        self.require(!stalled || drained == 0 || self.capacity() - drained >= desired, "a stalled revision replaces nothing");
    }
}
