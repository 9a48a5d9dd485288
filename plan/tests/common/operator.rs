//! A small operator: it observes as the real one does, carries out each plan step by step, and can be cut off between any two.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use plan::{
    Action, Change, Closed, Fleet, INTENT_KEPT, Instance, Intent, Inventory, Observed, Plan, QueueDepth, Reason, Recommendation, Rollout,
    State, Termination, Waiting, check, decide,
};

use super::cloud::{Cloud, Refusal};

/// What stands in the fleet's status: written only over the version that was read.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub version: u64,
    pub desired: u32,
    pub intents: Vec<Intent>,
    pub closed: Vec<Closed>,
    pub rollout: (String, Rollout),
}

/// What all operators see.
#[derive(Default)]
pub struct World {
    pub cloud: Cloud,
    pub status: Status,
    /// What the status was before, for those whose watch lags.
    pub earlier: Vec<Status>,
    pub queue: QueueDepth,
    pub sampled: bool,
    pub waiting: Waiting,
    pub arrivals: f64,
    pub blocked: Option<String>,
    pub tokens: u32,
}

/// What EC2's answer to a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Fine,
    /// EC2 did it, and nobody heard.
    Lost,
    /// EC2 was too busy: nothing was done.
    Throttled,
    /// EC2 has no room.
    Refused,
    /// EC2 launches one less than asked for.
    Partial,
}

/// How a step goes.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// The list is taken anew, so many seconds behind.
    pub list: Option<usize>,
    /// The watch shows a status so many writes old.
    pub watch: usize,
    /// The process ends before the so-manieth call.
    pub crash: Option<u32>,
    pub answer: Answer,
}

pub const CALM: Weather = Weather { list: Some(0), watch: 0, crash: None, answer: Answer::Fine };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Drain(Timestamp),
    Terminate(Timestamp),
    Keep(Timestamp),
}

/// One of the operators.
#[derive(Default)]
pub struct Operator {
    told: HashMap<String, Told>,
    history: Vec<Recommendation>,
    changes: Vec<Change>,
    failed_samples: u32,
    inventory: Option<Inventory>,
}

/// The process ended, or somebody else had written: the rest of the step is not done.
struct CutOff;

/// What is left of a process that will end.
struct Life(Option<u32>);

impl Life {
    fn step(&mut self) -> Result<(), CutOff> {
        match &mut self.0 {
            Some(0) => Err(CutOff),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl World {
    fn write(&mut self, over: u64, status: Status) -> Result<(), CutOff> {
        if over != self.status.version {
            return Err(CutOff);
        }
        let version = over + 1;
        let before = std::mem::replace(&mut self.status, Status { version, ..status });
        self.earlier.push(before);
        Ok(())
    }

    fn read(&self, behind: usize) -> Status {
        let index = self.earlier.len().checked_sub(behind);
        index.and_then(|index| self.earlier.get(index)).unwrap_or(&self.status).clone()
    }
}

impl Operator {
    /// Observes, decides and acts once. The plan, if it came to one; it must keep all promises.
    pub fn step(&mut self, fleet: &Fleet, world: &mut World, weather: Weather) -> Plan {
        let (now, status) = (world.cloud.time(), world.read(weather.watch));
        if let Some(lag) = weather.list {
            self.inventory = Some(Inventory { at: now, instances: world.cloud.list(lag) });
        }
        let observed = self.observe(fleet, world, &status, now);
        let plan = decide(fleet, &observed, now);
        assert_eq!(check(fleet, &observed, &plan, now), [], "{observed:?}\n{plan:?}");
        let mut life = Life(weather.crash);
        if self.act(fleet, world, &observed, status, &plan, weather.answer, &mut life).is_err() && weather.crash.is_some() {
            *self = Self::default();
        }
        plan
    }

    fn observe(&mut self, fleet: &Fleet, world: &World, status: &Status, now: Timestamp) -> Observed {
        self.failed_samples = if world.sampled { 0 } else { self.failed_samples + 1 };
        if self.history.is_empty() {
            self.history.push(Recommendation { at: now, workers: status.desired });
        }
        self.told.retain(|_, told| {
            let (Told::Drain(at) | Told::Terminate(at) | Told::Keep(at)) = *told;
            now.duration_since(at) < SignedDuration::from_mins(2)
        });
        let inventory = self.inventory.clone().map(|Inventory { at, instances }| {
            let instances = instances.into_iter().map(|instance| self.overlaid(instance)).collect();
            Inventory { at, instances }
        });
        let (revision, rollout) = status.rollout.clone();
        Observed {
            queue: world.sampled.then_some(world.queue),
            failed_samples: self.failed_samples,
            waiting: world.waiting,
            arrivals_per_second: world.arrivals,
            inventory,
            intents: status.intents.clone(),
            history: self.history.clone(),
            changes: self.changes.clone(),
            desired: status.desired,
            closed: status.closed.clone(),
            learned: plan::Learned::default(),
            rollout: if revision == fleet.revision { rollout } else { Rollout::default() },
            launch_blocked: world.blocked.clone(),
        }
    }

    fn overlaid(&self, instance: Instance) -> Instance {
        match self.told.get(&instance.id) {
            Some(Told::Terminate(_)) if instance.state != State::Terminated => Instance { state: State::ShuttingDown, ..instance },
            Some(Told::Drain(at)) if *at >= instance.launched_at && instance.draining_since.is_none() => {
                Instance { draining_since: Some(*at), ..instance }
            }
            Some(Told::Keep(_)) => Instance { kept: true, ..instance },
            _ => instance,
        }
    }

    #[allow(clippy::too_many_arguments)] // what a reconcile has
    fn act(
        &mut self,
        fleet: &Fleet,
        world: &mut World,
        observed: &Observed,
        mut status: Status,
        plan: &Plan,
        answer: Answer,
        life: &mut Life,
    ) -> Result<(), CutOff> {
        let now = world.cloud.time();
        life.step()?;
        // Who has an old status may not know that a stopped worker was started.
        let stopped = |reason| !matches!(reason, Reason::BootTimeout | Reason::DrainDeadline);
        if plan.terminate.iter().any(|ended| stopped(ended.reason)) && status.version != world.status.version {
            return Err(CutOff);
        }
        let ended: Vec<String> = plan.terminate.iter().map(|ended| ended.id.clone()).collect();
        world.cloud.terminate(&ended);
        self.told.extend(ended.iter().map(|id| (id.clone(), Told::Terminate(now))));
        life.step()?;
        status.intents.retain(|intent| !plan.settle.contains(&intent.token));
        let new = new_intents(world, plan, fleet, now);
        // Whoever asks EC2 has written so first, also for an intent of earlier: nobody who read before can then drop it.
        let asked_before = status.intents.clone();
        if !new.is_empty() || (!fleet.deleting && status.intents.iter().any(|intent| !intent.answered)) {
            status.intents.iter_mut().filter(|intent| !intent.answered).for_each(|intent| intent.asked_at = now);
            status.intents.extend(new);
            world.write(status.version, status.clone())?;
            status.version += 1;
        }
        life.step()?;
        pursue(world, observed, &mut status, answer, &asked_before, fleet.deleting);
        life.step()?;
        world.cloud.drain(&plan.drain);
        self.told.extend(plan.drain.iter().map(|id| (id.clone(), Told::Drain(now))));
        life.step()?;
        world.cloud.keep(&plan.keep);
        self.told.extend(plan.keep.iter().map(|id| (id.clone(), Told::Keep(now))));
        life.step()?;
        self.report(fleet, world, observed, status, plan)
    }

    fn report(&mut self, fleet: &Fleet, world: &mut World, observed: &Observed, mut status: Status, plan: &Plan) -> Result<(), CutOff> {
        let now = world.cloud.time();
        if let Some(workers) = plan.recommendation {
            self.history.retain(|entry| now.duration_since(entry.at) < SignedDuration::from_mins(60));
            self.history.push(Recommendation { at: now, workers });
        }
        if plan.desired != status.desired {
            self.changes.push(Change { at: now, by: i64::from(plan.desired) - i64::from(status.desired) });
        }
        status.desired = plan.desired;
        status.rollout = (fleet.revision.clone(), rolled(fleet, observed, &plan.terminate, now));
        world.write(status.version, status)
    }
}

fn rolled(fleet: &Fleet, observed: &Observed, ended: &[Termination], now: Timestamp) -> Rollout {
    let instances = observed.inventory.iter().flat_map(|inventory| &inventory.instances);
    let current = |instance: &&Instance| instance.revision == fleet.revision;
    let ready = instances.clone().filter(current).any(|instance| instance.is_live() && instance.ready);
    let failed = |ended: &&Termination| ended.reason == Reason::BootTimeout;
    let failed = ended.iter().filter(failed).filter(|ended| instances.clone().filter(current).any(|it| it.id == ended.id)).count();
    let before = observed.rollout;
    let failed_at = if failed > 0 { Some(now) } else { before.failed_at };
    match ready {
        true => Rollout { proven: true, never_ready: 0, failed_at: None },
        false => Rollout { never_ready: before.never_ready + u32::try_from(failed).unwrap(), failed_at, ..before },
    }
}

fn new_intents(world: &mut World, plan: &Plan, fleet: &Fleet, now: Timestamp) -> Vec<Intent> {
    let mut intent = |action, offering: &plan::Offering, count, instance_ids| {
        world.tokens += 1;
        let (token, revision) = (format!("token-{}", world.tokens), fleet.revision.clone());
        Intent {
            token,
            action,
            count,
            offering: offering.clone(),
            revision,
            requested_at: now,
            asked_at: now,
            answered: false,
            instance_ids,
        }
    };
    let number = |ids: &Vec<String>| u32::try_from(ids.len()).unwrap();
    let mut new: Vec<Intent> =
        plan.start.iter().map(|start| intent(Action::Start, &start.offering, number(&start.ids), start.ids.clone())).collect();
    new.extend(plan.launch.iter().map(|launch| intent(Action::Launch, &launch.offering, launch.count, Vec::new())));
    new
}

/// Asks EC2 for each intent that has no answer yet, as the operator does it.
fn pursue(world: &mut World, observed: &Observed, status: &mut Status, answer: Answer, before: &[Intent], deleting: bool) {
    for mut intent in std::mem::take(&mut status.intents) {
        // Later, a lost answer is possible: then a refusal does not prove that nothing happened.
        let asked_before = before.iter().find(|before| before.token == intent.token).map(|before| before.asked_at);
        let done = match intent.action {
            _ if intent.answered => Some(Some(intent.instance_ids.clone())),
            _ if let Some(ids) = seen(&intent, observed.inventory.as_ref()) => Some(Some(ids)),
            // Not started again, but perhaps it was: until lists must show it, it may come.
            Action::Start if deleting => is_old(world, &intent).then_some(None),
            Action::Start => start(world, status, &mut intent, answer, asked_before),
            Action::Launch if deleting => look_up(world, &intent),
            Action::Launch => launch(world, status, &mut intent, answer, asked_before),
        };
        match done {
            Some(Some(ids)) => (intent.instance_ids, intent.answered) = (ids, true),
            Some(None) => continue,
            None => {}
        }
        status.intents.push(intent);
    }
}

/// What the list shows of the intent, if that is all of it.
fn seen(intent: &Intent, inventory: Option<&Inventory>) -> Option<Vec<String>> {
    let inventory = inventory?;
    let ids: Vec<String> = match intent.action {
        Action::Launch => inventory.launched_with(&intent.token).map(|instance| instance.id.clone()).collect(),
        Action::Start => {
            let started = |id: &&String| inventory.find(id).is_none_or(|it| it.launched_at >= intent.requested_at);
            intent.instance_ids.iter().filter(started).cloned().collect()
        }
    };
    (!ids.is_empty() && ids.len() >= intent.count as usize).then_some(ids)
}

/// Some(Some(ids)): done; Some(None): void; None: open.
type Outcome = Option<Option<Vec<String>>>;

fn launch(world: &mut World, status: &mut Status, intent: &mut Intent, answer: Answer, asked_before: Option<Timestamp>) -> Outcome {
    if answer == Answer::Throttled {
        intent.asked_at = asked_before.unwrap_or(intent.asked_at);
        return None;
    }
    let asked = match answer {
        Answer::Partial => intent.count.max(2) - 1,
        Answer::Refused if world.cloud.with_token(&intent.token).is_empty() => 0,
        _ => intent.count,
    };
    let launched = match asked {
        0 => Err(Refusal::NoRoom),
        _ => world.cloud.run_instances(&intent.token, &intent.offering, &intent.revision, asked),
    };
    match launched {
        Ok(_) if answer == Answer::Lost => None,
        Ok(ids) => {
            if ids.len() < intent.count as usize {
                close(world, status, intent);
            } else {
                open(status, intent);
            }
            Some(Some(ids))
        }
        Err(Refusal::TokenIsOver) => Some(None),
        Err(_) => {
            close(world, status, intent);
            refused(intent, asked_before, |intent| look_up(world, intent))
        }
    }
}

/// This time EC2 did nothing. Had nobody asked before, that is all; else it may have done it then.
fn refused(intent: &mut Intent, asked_before: Option<Timestamp>, otherwise: impl FnOnce(&Intent) -> Outcome) -> Outcome {
    let Some(asked_at) = asked_before else { return Some(None) };
    intent.asked_at = asked_at;
    otherwise(intent)
}

fn look_up(world: &World, intent: &Intent) -> Outcome {
    let ids = world.cloud.with_token(&intent.token);
    let is_old = is_old(world, intent);
    match ids.len() {
        0 if is_old => Some(None),
        some if some >= intent.count as usize || (is_old && some > 0) => Some(Some(ids)),
        _ => None,
    }
}

/// Lists show by now what EC2 did.
fn is_old(world: &World, intent: &Intent) -> bool {
    world.cloud.time().duration_since(intent.asked_at) > INTENT_KEPT
}

fn start(world: &mut World, status: &mut Status, intent: &mut Intent, answer: Answer, asked_before: Option<Timestamp>) -> Outcome {
    let no_room = matches!(answer, Answer::Refused | Answer::Partial);
    if answer == Answer::Throttled {
        intent.asked_at = asked_before.unwrap_or(intent.asked_at);
        return None;
    }
    let started = if no_room { Err(Refusal::NoRoom) } else { world.cloud.start_instances(&intent.instance_ids) };
    match started {
        Ok(()) if answer == Answer::Lost => None,
        Ok(()) => Some(Some(intent.instance_ids.clone())),
        Err(refusal) => {
            if refusal == Refusal::NoRoom {
                close(world, status, intent);
            }
            refused(intent, asked_before, |intent| is_old(world, intent).then_some(None))
        }
    }
}

/// EC2 has no room there: nothing is launched there for 3 minutes, then one.
fn close(world: &World, status: &mut Status, intent: &Intent) {
    status.closed.retain(|closed| closed.offering != intent.offering);
    let until = world.cloud.time() + SignedDuration::from_mins(3);
    status.closed.push(Closed { offering: intent.offering.clone(), until, probe: 1 });
}

/// EC2 launched there: twice as many next time, soon as many as are wanted.
fn open(status: &mut Status, intent: &Intent) {
    for closed in status.closed.iter_mut().filter(|closed| closed.offering == intent.offering) {
        closed.probe *= 2;
    }
    status.closed.retain(|closed| closed.probe < 64);
}
