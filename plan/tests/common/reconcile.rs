//! A plan carried out, as the operator's act stage does it: one effect after another, in its order. Between any two the process
//! may end, somebody else may write, time may pass. What EC2's answers mean for an intent, `plan::Pursuit` says.

use jiff::{SignedDuration, Timestamp};
use plan::{Action, Change, Closed, Fleet, Instance, Intent, Next, Observed, Plan, Pursuit, Question, Recommendation, Reply, Rollout};

use super::cloud::Refusal;
use super::operator::{Answer, Bug, CutOff, Operator, Status, Told, World};

/// What is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Terminate,
    Write,
    /// Of so many intents EC2 was asked already.
    Ask(usize),
    Drain,
    Keep,
    Report,
    Over,
}

/// An intent under way.
#[derive(Debug, Clone)]
pub struct Pursued {
    pub intent: Intent,
    /// When EC2 was asked for it before this reconcile.
    pub asked_before: Option<Timestamp>,
    pub next: Next,
    pub is_void: bool,
}

/// A plan under way.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// When it began.
    pub now: Timestamp,
    pub plan: Plan,
    /// The status that it was made from, and what it has written of it since.
    pub status: Status,
    pub intents: Vec<Pursued>,
    pub phase: Phase,
    pub observed: Observed,
    deleting: bool,
}

impl Reconcile {
    pub fn new(fleet: &Fleet, observed: Observed, status: Status, plan: Plan, now: Timestamp) -> Self {
        Self { now, plan, status, intents: Vec::new(), phase: Phase::Terminate, observed, deleting: fleet.deleting }.at(Phase::Terminate)
    }

    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// At `phase`, or at the first one after it in which anything is to be done.
    fn at(mut self, phase: Phase) -> Self {
        self.phase = phase;
        if self.phase == Phase::Terminate && self.plan.terminate.is_empty() && self.plan.give_up.is_empty() {
            self.phase = Phase::Write;
        }
        if let Phase::Ask(begun) = self.phase {
            let is_asked = |pursued: &Pursued| !pursued.intent.answered && matches!(pursued.next, Next::Ask(_));
            let next = self.intents.iter().skip(begun).position(is_asked);
            self.phase = next.map_or(Phase::Drain, |ahead| Phase::Ask(begun + ahead));
        }
        if self.phase == Phase::Drain && self.plan.drain.is_empty() {
            self.phase = Phase::Keep;
        }
        if self.phase == Phase::Keep && self.plan.keep.is_empty() {
            self.phase = Phase::Report;
        }
        self
    }

    /// The question that EC2 is asked next, if it is.
    pub fn question(&self) -> Option<Question> {
        let Phase::Ask(index) = self.phase else { return None };
        if let Next::Ask(question) = self.intents[index].next { Some(question) } else { None }
    }

    /// Does what is next, EC2 answering so.
    pub fn go_on(&mut self, operator: &mut Operator, fleet: &Fleet, world: &mut World, answer: Answer) -> Result<(), CutOff> {
        let time = world.cloud.time();
        let next = match self.phase {
            Phase::Terminate => {
                let ended = self.terminate(world)?;
                operator.told.extend(ended.into_iter().map(|id| (id, Told::Terminate(time))));
                world.cloud.drain(&self.plan.give_up);
                operator.told.extend(self.plan.give_up.iter().map(|id| (id.clone(), Told::Drain(time))));
                Phase::Write
            }
            Phase::Write => {
                self.write_down(operator, fleet, world)?;
                Phase::Ask(0)
            }
            Phase::Ask(index) => {
                self.ask(index, operator.bug, world, answer);
                Phase::Ask(index)
            }
            Phase::Drain => {
                world.cloud.drain(&self.plan.drain);
                operator.told.extend(self.plan.drain.iter().map(|id| (id.clone(), Told::Drain(time))));
                Phase::Keep
            }
            Phase::Keep => {
                world.cloud.keep(&self.plan.keep);
                operator.told.extend(self.plan.keep.iter().map(|id| (id.clone(), Told::Keep(time))));
                Phase::Report
            }
            Phase::Report => {
                self.report(operator, fleet, world)?;
                Phase::Over
            }
            Phase::Over => Phase::Over,
        };
        *self = self.clone().at(next);
        Ok(())
    }

    fn terminate(&self, world: &mut World) -> Result<Vec<String>, CutOff> {
        // Who has an old status may not know that a stopped worker was started.
        if self.plan.terminate.iter().any(|ended| ended.reason.is_of_the_stopped()) && self.status.version != world.status.version {
            return Err(CutOff);
        }
        let ended: Vec<String> = self.plan.terminate.iter().map(|ended| ended.id.clone()).collect();
        world.cloud.terminate(&ended);
        Ok(ended)
    }

    fn pursuit<'a>(&self, pursued: &'a Pursued) -> Pursuit<'a> {
        let offering = &pursued.intent.offering;
        let is_closed = |closed: &Closed| closed.offering == *offering && closed.until > self.now;
        Pursuit {
            intent: &pursued.intent,
            asked_before: pursued.asked_before,
            paused: false,
            closed: self.status.closed.iter().any(is_closed),
            deleting: self.deleting,
            now: self.now,
        }
    }

    /// Whoever asks EC2 has written so first, for an intent of earlier too: nobody who read before can then drop it.
    fn write_down(&mut self, operator: &Operator, fleet: &Fleet, world: &mut World) -> Result<(), CutOff> {
        self.status.intents.retain(|intent| !self.plan.settle.contains(&intent.token));
        let new = new_intents(world, &self.plan, fleet, self.now, operator.bug);
        let is_any_new = !new.is_empty();
        let earlier = self.status.intents.iter().cloned().map(|intent| (Some(intent.asked_at), intent));
        let all: Vec<(Option<Timestamp>, Intent)> = earlier.chain(new.into_iter().map(|intent| (None, intent))).collect();
        let begin = |(asked_before, intent): (Option<Timestamp>, Intent)| {
            let mut pursued = Pursued { intent, asked_before, next: Next::Void, is_void: false };
            pursued.next = self.pursuit(&pursued).begin(self.observed.inventory.as_ref());
            pursued
        };
        let mut all: Vec<Pursued> = all.into_iter().map(begin).collect();
        let again = |pursued: &Pursued| !pursued.intent.answered && self.pursuit(pursued).must_be_written(&pursued.next);
        let again: Vec<bool> = all.iter().map(again).collect();
        for (pursued, _) in all.iter_mut().zip(&again).filter(|(_, again)| **again) {
            pursued.intent.asked_at = self.now;
        }
        self.intents = all;
        self.status.intents = self.intents.iter().map(|pursued| pursued.intent.clone()).collect();
        if (is_any_new || again.contains(&true)) && operator.bug != Some(Bug::NothingWritten) {
            world.write(self.status.version, self.status.clone())?;
            self.status.version += 1;
        }
        for index in 0..self.intents.len() {
            self.take(index, self.intents[index].next.clone());
        }
        Ok(())
    }

    fn ask(&mut self, index: usize, bug: Option<Bug>, world: &mut World, answer: Answer) {
        let pursued = self.intents[index].clone();
        let Next::Ask(question) = pursued.next else { return };
        let reply = match question {
            Question::Listed if answer == Answer::Fine => Reply::Lists(world.listed(&pursued.intent.token)),
            Question::Listed => Reply::Busy,
            Question::Start => self.start(world, &pursued.intent, answer),
            Question::Launch => self.launch(world, &pursued.intent, answer, bug),
        };
        let pursued = match bug {
            Some(Bug::RefusalsBelieved) => Pursued { asked_before: None, ..pursued },
            _ => pursued,
        };
        let next = self.pursuit(&pursued).after(reply);
        self.take(index, next);
    }

    fn take(&mut self, index: usize, next: Next) {
        let pursued = &mut self.intents[index];
        if pursued.intent.answered {
            return;
        }
        match &next {
            Next::Ask(_) => {}
            Next::Done(ids) => (pursued.intent.instance_ids, pursued.intent.answered) = (ids.clone(), true),
            Next::Void => pursued.is_void = true,
            Next::Open { asked_at } => pursued.intent.asked_at = *asked_at,
        }
        pursued.next = next;
    }

    fn launch(&mut self, world: &mut World, intent: &Intent, answer: Answer, bug: Option<Bug>) -> Reply {
        match answer {
            Answer::Throttled => return Reply::Busy,
            Answer::Unasked => return Reply::Silence,
            _ => {}
        }
        let token = match bug {
            Some(Bug::NewTokens) => {
                world.tokens += 1;
                format!("token-{}", world.tokens)
            }
            _ => intent.token.clone(),
        };
        let asked = match answer {
            Answer::Partial => intent.count.max(2) - 1,
            Answer::Refused if world.cloud.with_token(&token).is_empty() => 0,
            _ => intent.count,
        };
        let launched = match asked {
            0 => Err(Refusal::NoRoom),
            _ => world.cloud.run_instances(&token, &intent.offering, &intent.revision, asked),
        };
        match launched {
            Ok(_) if answer == Answer::Lost => Reply::Silence,
            Ok(ids) => {
                if ids.len() < intent.count as usize {
                    close(world, &mut self.status, intent);
                } else {
                    open(&mut self.status, intent);
                }
                Reply::Did(ids)
            }
            Err(Refusal::TokenIsOver) => Reply::Over,
            Err(_) => {
                close(world, &mut self.status, intent);
                Reply::Refused
            }
        }
    }

    fn start(&mut self, world: &mut World, intent: &Intent, answer: Answer) -> Reply {
        match answer {
            Answer::Throttled => return Reply::Busy,
            Answer::Unasked => return Reply::Silence,
            _ => {}
        }
        let no_room = matches!(answer, Answer::Refused | Answer::Partial);
        let started = if no_room { Err(Refusal::NoRoom) } else { world.cloud.start_instances(&intent.instance_ids) };
        match started {
            Ok(()) if answer == Answer::Lost => Reply::Silence,
            Ok(()) => Reply::Did(intent.instance_ids.clone()),
            Err(refusal) => {
                if refusal == Refusal::NoRoom {
                    close(world, &mut self.status, intent);
                }
                Reply::Refused
            }
        }
    }

    fn report(&mut self, operator: &mut Operator, fleet: &Fleet, world: &mut World) -> Result<(), CutOff> {
        let (now, plan) = (self.now, &self.plan);
        if let Some(workers) = plan.recommendation {
            operator.history.retain(|entry| now.duration_since(entry.at) < SignedDuration::from_mins(60));
            operator.history.push(Recommendation { at: now, workers });
        }
        if plan.desired != self.status.desired {
            operator.changes.push(Change { at: now, by: i64::from(plan.desired) - i64::from(self.status.desired) });
        }
        self.status.desired = plan.desired;
        self.status.rollout = (fleet.revision.clone(), rolled(fleet, &self.observed, &plan.give_up, now));
        let forgets = |pursued: &Pursued| pursued.is_void || (operator.bug == Some(Bug::ForgottenAtOnce) && pursued.intent.answered);
        self.status.intents = self.intents.iter().filter(|pursued| !forgets(pursued)).map(|pursued| pursued.intent.clone()).collect();
        self.status.gone = plan.gone && self.status.intents.iter().all(|intent| intent.answered);
        // What is not news is not written.
        if self.status == world.status { Ok(()) } else { world.write(self.status.version, self.status.clone()) }
    }
}

fn rolled(fleet: &Fleet, observed: &Observed, given_up: &[String], now: Timestamp) -> Rollout {
    let instances = observed.inventory.iter().flat_map(|inventory| &inventory.instances);
    let current = |instance: &&Instance| instance.revision == fleet.revision;
    let ready = instances.clone().filter(current).any(|instance| instance.is_live() && instance.ready);
    let failed = given_up.iter().filter(|id| instances.clone().filter(current).any(|it| it.id == **id)).count();
    let before = observed.rollout;
    let failed_at = if failed > 0 { Some(now) } else { before.failed_at };
    match ready {
        true => Rollout { proven: true, never_ready: 0, failed_at: None },
        false => Rollout { never_ready: before.never_ready + u32::try_from(failed).unwrap(), failed_at, ..before },
    }
}

fn new_intents(world: &mut World, plan: &Plan, fleet: &Fleet, now: Timestamp, bug: Option<Bug>) -> Vec<Intent> {
    let mut intent = |action, offering: &plan::Offering, count, instance_ids| {
        world.tokens += u32::from(bug != Some(Bug::OneToken) || world.tokens == 0);
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
