//! The decision: what should be, from what is.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::census::{coming, count, is_being_started, unlisted};
use crate::desired::{Desired, desired, limited};
use crate::pool::to_prepare;
use crate::rollout::Rolling;
use crate::scale_in::{Budget, choose, is_late, is_paid_for, overdue, surplus_stopped};
use crate::scale_out::{Sources, Wanted, sources};
use crate::{
    Action, Alarm, Census, Fleet, INTENT_KEPT, Inputs, Instance, Intent, Inventory, Observed, Plan, Reason, STALE_AFTER, Target,
    Termination, UNLISTED_GONE,
};

/// What to do now. The same arguments give the same plan, in every operator, in whichever order they are listed.
#[must_use]
pub fn decide(fleet: &Fleet, observed: &Observed, now: Timestamp) -> Plan {
    let inputs = Inputs::of(fleet, observed, now);
    let Desired { workers, recommendation, floor, limited_by, steps } = number(fleet, observed, &inputs);
    let unanswered = observed.intents.iter().filter(|intent| !intent.answered);
    let mut plan = Plan {
        inputs,
        desired: workers,
        recommendation,
        steps,
        limited_by,
        launch: Vec::new(),
        start: Vec::new(),
        pursue: unanswered.map(|intent| intent.token.clone()).collect(),
        settle: Vec::new(),
        drain: Vec::new(),
        give_up: Vec::new(),
        keep: Vec::new(),
        terminate: Vec::new(),
        alarm: None,
        gone: false,
        census: Census::take(fleet, observed, now),
    };
    plan.pursue.sort();
    let fresh = observed.inventory.as_ref().filter(|inventory| now.duration_since(inventory.at) <= STALE_AFTER);
    match fresh {
        Some(inventory) => Acting::new(fleet, observed, inventory, &plan, now).act(&mut plan, floor),
        None => plan.steps.push("EC2's list of instances is missing or too old: nothing is launched or removed.".to_owned()),
    }
    plan
}

/// How many workers there should be. Without any list of instances nobody knows which of them could meet a deadline.
fn number(fleet: &Fleet, observed: &Observed, inputs: &Inputs) -> Desired {
    let blind = observed.inventory.is_none() && matches!(fleet.target, Target::Drain(_)) && fleet.pinned.is_none();
    if !blind || fleet.deleting {
        return desired(fleet, inputs);
    }
    let (workers, limited_by) = limited(inputs.before, fleet.min, fleet.max);
    let steps = vec![format!("Without a list of instances {workers} workers are kept.")];
    Desired { workers, recommendation: None, floor: workers, limited_by, steps }
}

/// What acting is decided from: nothing of it changes meanwhile.
struct Acting<'a> {
    fleet: &'a Fleet,
    observed: &'a Observed,
    inventory: &'a Inventory,
    /// Workers that take jobs or will, as far as EC2 lists them, without those that are given up.
    active: Vec<&'a Instance>,
    /// Those that are given up now.
    late: Vec<&'a Instance>,
    rolling: Rolling,
    /// Workers that take jobs.
    ready: u32,
    /// Workers that take jobs or will, those on their way included.
    capacity: u32,
    /// Instances that live: those that drain too.
    live: u32,
    /// Workers that the warm pool lacks of those made in advance.
    to_prepare: u32,
    now: Timestamp,
}

impl<'a> Acting<'a> {
    fn new(fleet: &'a Fleet, observed: &'a Observed, inventory: &'a Inventory, plan: &Plan, now: Timestamp) -> Self {
        let active = inventory.instances.iter().filter(|instance| instance.is_active());
        let (late, active): (Vec<&Instance>, Vec<&Instance>) = active.partition(|instance| is_late(fleet, instance, inventory.at));
        let rolling = Rolling::of(fleet, observed, inventory, &active, &late, now);
        let to_prepare = if rolling.outdated > 0 { 0 } else { to_prepare(fleet, observed, inventory, now) };
        Self {
            fleet,
            observed,
            inventory,
            active,
            rolling,
            ready: plan.census.ready,
            capacity: plan.census.capacity() - count(late.len()),
            late,
            live: plan.census.live(),
            to_prepare: to_prepare.min(fleet.max.saturating_sub(plan.desired)),
            now,
        }
    }

    fn act(&self, plan: &mut Plan, floor: u32) {
        plan.settle = settled(&self.observed.intents, self.inventory, self.now);
        let instances = self.inventory.instances.iter().filter(|instance| !is_being_started(self.observed, instance, self.now));
        plan.terminate = instances.filter_map(|instance| overdue(self.fleet, instance, self.inventory.at)).collect();
        plan.give_up = self.late.iter().map(|instance| instance.id.clone()).collect();
        plan.give_up.sort();
        self.remove(plan);
        self.guard(plan);
        self.add(plan);
        self.tidy_pool(plan);
        self.keep(plan, floor);
        plan.terminate.sort_by(|a, b| a.id.cmp(&b.id));
        for id in &plan.give_up {
            plan.steps.push(format!("{id} is told to leave: {}.", Reason::BootTimeout));
        }
        for Termination { id, reason } in &plan.terminate {
            plan.steps.push(format!("{id} is terminated: {reason}."));
        }
        let Census { leaving, stopping, stopped, .. } = plan.census;
        plan.gone = self.fleet.deleting && plan.census.live() + leaving + stopping + stopped == 0;
    }

    fn is_outdated(&self, instance: &Instance) -> bool {
        instance.revision != self.fleet.revision
    }

    /// Who is told to drain: outdated workers as far as enough others are ready, then those that are too many.
    fn remove(&self, plan: &mut Plan) {
        plan.drain = self.replaced(plan.desired);
        let surplus = self.surplus(plan);
        plan.drain.extend(surplus);
        if !plan.drain.is_empty() {
            plan.steps.push(format!("Draining {} of {}.", plan.drain.len(), self.capacity));
        }
    }

    /// Outdated workers that others have replaced, or may be missing meanwhile. Once the current revision has proven itself,
    /// those that are not ready go first: they take no jobs.
    fn replaced(&self, desired: u32) -> Vec<String> {
        let Rolling { outdated, stalled, proven, unavailable, unready, .. } = self.rolling;
        if outdated == 0 || stalled {
            return Vec::new();
        }
        let least = desired.saturating_sub(unavailable);
        let old: Vec<&Instance> = self.active.iter().copied().filter(|instance| self.is_outdated(instance)).collect();
        let idle = if proven { self.capacity.saturating_sub(unready).saturating_sub(least) } else { 0 };
        choose(self.fleet, old, Budget { total: u32::MAX, ready: self.ready.saturating_sub(least), unready: idle }, true)
    }

    /// Workers that are too many. A ready one goes only while enough others are ready: one that boots is no match for it.
    fn surplus(&self, plan: &Plan) -> Vec<String> {
        let told: HashSet<&str> = plan.drain.iter().map(String::as_str).collect();
        let stays = |instance: &&&Instance| !told.contains(instance.id.as_str());
        let replaced = count(told.len());
        let still_to_come = plan.desired.saturating_sub(self.rolling.current) + self.rolling.unready;
        let surge = if self.rolling.outdated > replaced { self.rolling.surge.min(still_to_come) } else { 0 };
        let surplus = (self.capacity - replaced).saturating_sub(plan.desired + surge);
        let ready = count(self.active.iter().filter(stays).filter(|instance| instance.ready).count());
        let idle = ready.saturating_sub(plan.desired).min(surplus);
        // The pool takes workers once they have been ready; those that it waits for are not too many.
        let booting_for_pool = self.to_prepare.saturating_sub(idle);
        let ready_first = if self.to_prepare > 0 { idle } else { 0 };
        let unready = surplus.saturating_sub(ready_first).saturating_sub(booting_for_pool);
        let may_go = |instance: &&&Instance| stays(instance) && !self.is_needed_yet(plan, instance);
        let candidates = self.active.iter().filter(may_go).copied().collect();
        choose(self.fleet, candidates, Budget { total: surplus, ready: idle, unready }, self.rolling.proven)
    }

    /// A worker whose first minute is paid for may be needed until it is over, where the queue decides.
    fn is_needed_yet(&self, plan: &Plan, instance: &Instance) -> bool {
        let follows_queue = plan.recommendation.is_some() && self.capacity <= self.fleet.max;
        follows_queue && self.to_prepare == 0 && !self.is_outdated(instance) && is_paid_for(instance, self.now)
    }

    /// No plan leads to more instances than there may be: if there are, somebody else launches, or `max` was lowered.
    fn guard(&self, plan: &mut Plan) {
        let allowed = self.fleet.max.saturating_add(self.fleet.update.max_surge);
        let live = self.live;
        if live > allowed && !self.fleet.deleting {
            plan.alarm = Some(Alarm::Runaway { live, allowed });
            plan.steps.push(format!("{live} instances live, and {allowed} may: nothing is launched."));
        } else if self.rolling.stalled && !self.fleet.deleting {
            let never_ready = self.rolling.never_ready;
            plan.alarm = Some(Alarm::RolloutStalled { never_ready });
            plan.steps.push(format!(
                "{never_ready} workers of revision {} in a row were never ready: nothing is replaced by it.",
                self.fleet.revision
            ));
        }
    }

    /// Who is started or launched: what is missing and what is to be replaced, as far as there is room; then the pool's.
    fn add(&self, plan: &mut Plan) {
        let Rolling { surge, current, stalled, may_try, .. } = self.rolling;
        let wanted = plan.desired.saturating_sub(current).min((plan.desired + surge).saturating_sub(self.capacity));
        let room = self.fleet.max.saturating_add(surge).saturating_sub(self.live);
        let room = if stalled { room.min(u32::from(may_try)) } else { room };
        let workers = wanted.min(room);
        // The pool is filled when nothing else is going on.
        let quiet = workers == wanted && plan.drain.is_empty();
        let being_prepared = self.capacity.saturating_sub(plan.desired);
        let for_pool = if quiet { self.to_prepare.saturating_sub(being_prepared).min(room - workers) } else { 0 };
        if wanted + for_pool == 0 || matches!(plan.alarm, Some(Alarm::Runaway { .. })) {
            return;
        }
        if let Some(reason) = &self.observed.launch_blocked {
            return plan.steps.push(reason.clone());
        }
        let warm_is_sooner = plan.inputs.warm_is_sooner();
        self.get(plan, Wanted { workers, for_pool, warm_is_sooner, on_demand: self.on_demand() });
        if workers < wanted {
            self.say_what_waits(plan, wanted - workers);
        }
    }

    /// On-demand workers that are there or on their way.
    fn on_demand(&self) -> u32 {
        let there = count(self.active.iter().filter(|instance| !instance.offering.spot).count());
        let intents = self.observed.intents.iter().filter(|intent| !intent.offering.spot);
        there + intents.map(|intent| coming(intent, Some(self.inventory), self.now)).sum::<u32>()
    }

    fn get(&self, plan: &mut Plan, wanted: Wanted) {
        if wanted.for_pool > 0 {
            plan.steps.push(format!("{} more are made for the warm pool.", wanted.for_pool));
        }
        let Sources { start, launch, missing, opens_at, .. } = sources(self.fleet, self.observed, wanted, self.now);
        let started: usize = start.iter().map(|start| start.ids.len()).sum();
        if started > 0 {
            plan.steps.push(format!("Starting {started} stopped."));
        }
        for launch in &launch {
            plan.steps.push(format!("Launching {} {}.", launch.count, launch.offering));
        }
        if missing > 0 {
            let until = opens_at.map(|at| format!(", the first opens at {at:.0}")).unwrap_or_default();
            plan.steps.push(format!("{missing} more must wait: EC2 has no room in any offering{until}."));
        }
        plan.start = start;
        plan.launch = launch;
    }

    fn say_what_waits(&self, plan: &mut Plan, waiting: u32) {
        let why = match self.rolling.stalled {
            true => "the revision is tried again later, one worker at a time".to_owned(),
            false => format!("with those that drain, {} instances live, and workers.max is {}", self.live, self.fleet.max),
        };
        plan.steps.push(format!("{waiting} more must wait: {why}."));
    }

    /// Stopped workers that are not kept, and not being started: the list may be older than their start.
    fn tidy_pool(&self, plan: &mut Plan) {
        let starting = plan.start.iter().flat_map(|start| &start.ids);
        let listed = self.inventory.instances.iter();
        let unseen = listed.filter(|instance| is_being_started(self.observed, instance, self.now)).map(|instance| &instance.id);
        let started: HashSet<&str> = starting.chain(unseen).map(String::as_str).collect();
        plan.terminate.extend(surplus_stopped(self.fleet, self.inventory, &started, self.now));
    }

    /// `floor` workers stay though they have nothing to do; the oldest are told so.
    fn keep(&self, plan: &mut Plan, floor: u32) {
        let drained: HashSet<&str> = plan.drain.iter().map(String::as_str).collect();
        let stay = self.active.iter().copied().filter(|instance| instance.ready && !drained.contains(instance.id.as_str()));
        let (kept, mut others): (Vec<&Instance>, Vec<&Instance>) = stay.partition(|instance| instance.kept);
        others.sort_by_key(|instance| (self.is_outdated(instance), instance.launched_at, &instance.id));
        let number = floor.saturating_sub(count(kept.len())) as usize;
        plan.keep = others.into_iter().take(number).map(|instance| instance.id.clone()).collect();
    }
}

/// Intents that have served: EC2 lists all they launched, and every operator's inventory is younger than they are.
fn settled(intents: &[Intent], inventory: &Inventory, now: Timestamp) -> Vec<String> {
    let served = |intent: &&Intent| {
        let age: SignedDuration = now.duration_since(intent.asked_at);
        let seen = match intent.action {
            Action::Launch => unlisted(intent, Some(inventory)).next().is_none(),
            Action::Start => coming(intent, Some(inventory), now) == 0,
        };
        intent.answered && ((seen && age > INTENT_KEPT) || age > UNLISTED_GONE)
    };
    let mut settled: Vec<String> = intents.iter().filter(served).map(|intent| intent.token.clone()).collect();
    settled.sort();
    settled
}
