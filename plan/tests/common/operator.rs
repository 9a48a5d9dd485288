//! A small operator: it observes as the real one does and remembers what it told whom; `reconcile` carries its plans out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plan::{
    Change, Closed, Fleet, Instance, Intent, Inventory, Observed, Plan, QueueDepth, Recommendation, Rollout, State, Waiting, check, decide,
};

use super::cloud::Cloud;
use super::reconcile::Reconcile;

/// What stands in the fleet's status: written only over the version that was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Status {
    pub version: u64,
    pub desired: u32,
    pub intents: Vec<Intent>,
    pub closed: Vec<Closed>,
    pub rollout: (String, Rollout),
    /// Nothing was left of the fleet, and it was let go.
    pub gone: bool,
}

/// What all operators see.
#[derive(Debug, Clone, Default)]
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
    /// What EC2 lists when somebody looks for a token; none: how it is.
    pub shown: Option<Vec<Instance>>,
}

/// What EC2's answer to a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Fine,
    /// EC2 did it, and nobody heard.
    Lost,
    /// The question never came to EC2, and nobody knows.
    Unasked,
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
pub enum Told {
    Drain(Timestamp),
    Terminate(Timestamp),
    Keep(Timestamp),
}

impl Told {
    /// EC2's lists may not show it yet.
    pub fn is_recent(self, now: Timestamp) -> bool {
        let (Self::Drain(at) | Self::Terminate(at) | Self::Keep(at)) = self;
        now.duration_since(at) < SignedDuration::from_mins(2)
    }
}

/// What could be wrong with an operator, to see that it would be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// EC2 is asked before anything is written down.
    NothingWritten,
    /// All launches have the same token.
    OneToken,
    /// Each time EC2 is asked for the same launch it is with another token.
    NewTokens,
    /// An intent is forgotten as soon as EC2 has answered.
    ForgottenAtOnce,
    /// A list is taken for true whatever its age.
    OldListsBelieved,
    /// A refusal is taken for proof that nothing was launched, whoever asked before.
    RefusalsBelieved,
}

/// One of the operators.
#[derive(Debug, Clone, Default)]
pub struct Operator {
    pub told: BTreeMap<String, Told>,
    pub history: Vec<Recommendation>,
    pub changes: Vec<Change>,
    pub failed_samples: u32,
    /// What EC2 listed last.
    pub inventory: Option<Inventory>,
    /// What is wrong with it.
    pub bug: Option<Bug>,
}

/// The process ended, or somebody else had written: the rest of the step is not done.
#[derive(Debug)]
pub struct CutOff;

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
    pub fn write(&mut self, over: u64, status: Status) -> Result<(), CutOff> {
        if over != self.status.version || self.status.gone {
            return Err(CutOff);
        }
        let version = over + 1;
        let before = std::mem::replace(&mut self.status, Status { version, ..status });
        self.earlier.push(before);
        Ok(())
    }

    /// Instances of a token, as EC2 lists them.
    pub fn listed(&self, token: &str) -> Vec<String> {
        match &self.shown {
            Some(shown) => shown.iter().filter(|instance| instance.token == token).map(|instance| instance.id.clone()).collect(),
            None => self.cloud.with_token(token),
        }
    }

    fn read(&self, behind: usize) -> Status {
        let index = self.earlier.len().checked_sub(behind);
        index.and_then(|index| self.earlier.get(index)).unwrap_or(&self.status).clone()
    }
}

impl Operator {
    /// Observes, decides and acts once. The plan, if it came to one; it must keep all promises.
    pub fn step(&mut self, fleet: &Fleet, world: &mut World, weather: Weather) -> Plan {
        let list = weather.list.map(|lag| world.cloud.list(lag));
        let mut reconcile = self.begin(fleet, world, list, weather.watch);
        let mut life = Life(weather.crash);
        while !reconcile.is_over() {
            let goes_on = life.step().and_then(|()| reconcile.go_on(self, fleet, world, weather.answer));
            if goes_on.is_err() {
                if weather.crash.is_some() {
                    *self = Self::default();
                }
                break;
            }
        }
        reconcile.plan
    }

    /// Observes and decides. `list`: what EC2 lists, if it is asked.
    pub fn begin(&mut self, fleet: &Fleet, world: &World, list: Option<Vec<Instance>>, watch: usize) -> Reconcile {
        let (now, status) = (world.cloud.time(), world.read(watch));
        if let Some(instances) = list {
            self.inventory = Some(Inventory { at: now, instances });
        }
        let observed = self.observe(fleet, world, &status, now);
        let plan = decide(fleet, &observed, now);
        assert_eq!(check(fleet, &observed, &plan, now), [], "{observed:?}\n{plan:?}");
        Reconcile::new(fleet, observed, status, plan, now)
    }

    fn observe(&mut self, fleet: &Fleet, world: &World, status: &Status, now: Timestamp) -> Observed {
        self.failed_samples = if world.sampled { 0 } else { self.failed_samples + 1 };
        if self.history.is_empty() {
            self.history.push(Recommendation { at: now, workers: status.desired });
        }
        self.told.retain(|_, told| told.is_recent(now));
        let inventory = self.inventory.clone().map(|Inventory { at, instances }| {
            let instances = instances.into_iter().map(|instance| self.overlaid(instance)).collect();
            Inventory { at: if self.bug == Some(Bug::OldListsBelieved) { now } else { at }, instances }
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
}
