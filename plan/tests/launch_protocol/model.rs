//! What may happen to a fleet with two operators: which actions a state allows, what each does, and which promises all states
//! keep. The operators are those of `common`, which decide by `plan::decide` and pursue intents by `plan::Pursuit`.

use std::collections::HashSet;

use plan::{Fleet, Instance, Inventory, Pool, Question, State as Life, Update};

use super::checker::Model;
use super::common::cloud::Cloud;
use super::common::operator::{Answer, Bug, Operator, World};
use super::common::{fleet, offering, per_worker, secs};
use super::rest::{is_late, late_next};
use super::state::{Budget, QUANTUM, State};

/// From launch to ready, at most; a worker that takes longer never comes.
pub const BOOT: i64 = 2 * QUANTUM;
/// From the order to drain until a worker has left, at most.
pub const DRAIN: i64 = QUANTUM;
/// A reconcile that has not ended by then is given up.
const RECONCILE: i64 = 2 * QUANTUM;
/// When what is there at first was made, in seconds: nothing of it is news.
const LONG_AGO: i64 = 400;

/// What is explored.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub name: &'static str,
    pub budget: Budget,
    /// The most workers wanted, which is `max`.
    pub most: u32,
    /// Stopped workers that are there at first, all that the pool keeps.
    pub pool: u32,
    /// One worker is there at first, and an operator whose list is from before.
    pub grown: bool,
    /// EC2's lists may lag.
    pub lags: bool,
    /// The fleet may be deleted.
    pub deletion: bool,
    /// What is wrong with the operators.
    pub bug: Option<Bug>,
}

/// What EC2's list shows an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// How it is.
    Now,
    /// How it was before the last changes.
    Lagging,
    /// It is not asked: its last list is some time old.
    Kept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An operator observes and decides.
    Begin(usize, List),
    /// It does what is next, and EC2 answers so.
    GoOn(usize, Answer),
    /// Its process ends, and another begins.
    Crash(usize),
    /// EC2's lists show all there is.
    CatchUp,
    /// Some time passes.
    Tick,
    /// So many workers are wanted.
    Want(u32),
    /// The so-manieth instance is a worker that takes jobs.
    Register(usize),
    /// It leaves, as it was told.
    Leave(usize),
    /// It dies.
    Die(usize),
    /// The user deletes the fleet.
    Delete,
}

pub struct Protocol {
    pub scope: Scope,
    fleet: Fleet,
    /// States from which the fleet comes to rest by itself.
    pub calm: HashSet<u128>,
}

impl Protocol {
    pub fn of(scope: Scope) -> Self {
        let (mut up, mut down) = (super::common::rules(0), super::common::rules(0));
        (up.tolerance, down.tolerance) = (0.0, 0.0);
        let fleet = Fleet {
            max: scope.most,
            target: per_worker(1),
            scale_up: up,
            scale_down: down,
            boot_timeout: secs(BOOT),
            drain_timeout: secs(DRAIN),
            offerings: vec![offering("a"), offering("b")],
            pool: Pool { max: scope.pool, prepared: 0, idle: secs(100_000) },
            update: Update { max_unavailable: 1, max_surge: 1 },
            ..fleet()
        };
        Self { scope, fleet, calm: HashSet::new() }
    }

    fn fleet(&self, deleting: bool) -> Fleet {
        Fleet { deleting, ..self.fleet.clone() }
    }

    /// Stopped workers that have worked before.
    fn stopped(cloud: &mut Cloud, count: u32) {
        if count > 0 {
            let ids = cloud.run_instances("made-before", &offering("a"), "new", count).unwrap();
            cloud.now += LONG_AGO;
            ids.iter().for_each(|id| cloud.register(id));
            ids.iter().for_each(|id| cloud.leave(id));
            cloud.launches = count;
        }
    }

    fn begins(&self, state: &State, who: usize, actions: &mut Vec<Action>) {
        let shown = state.world.shown.as_deref().unwrap_or_default();
        let is_shown = state.world.cloud.all().eq(shown.iter());
        actions.push(Action::Begin(who, List::Now));
        if !is_shown {
            actions.push(Action::Begin(who, List::Lagging));
        }
        // A list of this very moment that shows all there is, is the same as a new one.
        let is_old = |kept: &Inventory| kept.at != state.world.cloud.time() || !state.world.cloud.all().eq(kept.instances.iter());
        if state.operators[who].inventory.as_ref().is_some_and(is_old) {
            actions.push(Action::Begin(who, List::Kept));
        }
    }

    fn goes_on(&self, state: &State, who: usize, question: Option<Question>, actions: &mut Vec<Action>) {
        actions.push(Action::GoOn(who, Answer::Fine));
        if state.budget.faults == 0 {
            return;
        }
        actions.push(Action::Crash(who));
        let others: &[Answer] = match question {
            Some(Question::Launch) => &[Answer::Lost, Answer::Unasked, Answer::Throttled, Answer::Refused],
            Some(Question::Start) => &[Answer::Lost, Answer::Unasked, Answer::Throttled, Answer::Refused],
            Some(Question::Listed) => &[Answer::Throttled],
            None => &[],
        };
        actions.extend(others.iter().map(|answer| Action::GoOn(who, *answer)));
    }

    fn workers(&self, state: &State, actions: &mut Vec<Action>) {
        for (index, instance) in state.world.cloud.all().enumerate().filter(|(_, instance)| instance.is_live()) {
            if !instance.ready && instance.draining_since.is_none() && !is_late(state, instance) {
                actions.push(Action::Register(index));
            }
            if instance.draining_since.is_some() && !is_late(state, instance) {
                actions.push(Action::Leave(index));
            }
            if state.budget.deaths > 0 {
                actions.push(Action::Die(index));
            }
        }
    }

    /// Time passes once nothing can wait any longer: a worker that would be late now must have registered or left, or is one of
    /// the few that never do.
    fn may_tick(&self, state: &State) -> bool {
        late_next(state) <= usize::from(state.budget.deaths)
    }

    pub fn tick(&self, state: &mut State) {
        let late = u8::try_from(late_next(state)).unwrap_or(u8::MAX);
        state.budget.deaths = state.budget.deaths.saturating_sub(late);
        state.world.cloud.now += QUANTUM;
        let now = state.world.cloud.time();
        let old_lists = self.scope.bug == Some(Bug::OldListsBelieved);
        for operator in &mut state.operators {
            operator.told.retain(|_, told| told.is_recent(now));
            // Too old to decide by: as good as none.
            operator.inventory.take_if(|list| !old_lists && now.duration_since(list.at) > plan::STALE_AFTER);
        }
        for reconcile in &mut state.under_way {
            reconcile.take_if(|reconcile| now.duration_since(reconcile.now) > secs(RECONCILE));
        }
        show_all(state);
    }

    pub fn begin(&self, state: &mut State, who: usize, list: List) {
        let list = match list {
            List::Now => Some(state.world.cloud.all().cloned().collect()),
            List::Lagging => state.world.shown.clone(),
            List::Kept => None,
        };
        let fleet = self.fleet(state.deleting);
        let reconcile = state.operators[who].begin(&fleet, &state.world, list, 0);
        state.under_way[who] = Some(reconcile);
    }

    pub fn go_on(&self, state: &mut State, who: usize, answer: Answer) {
        let Some(mut reconcile) = state.under_way[who].take() else { return };
        let fleet = self.fleet(state.deleting);
        let went = reconcile.go_on(&mut state.operators[who], &fleet, &mut state.world, answer);
        if went.is_ok() && !reconcile.is_over() {
            state.under_way[who] = Some(reconcile);
        }
    }

    fn crash(&self, state: &mut State, who: usize) {
        state.under_way[who] = None;
        state.operators[who] = Operator { bug: self.scope.bug, ..Operator::default() };
    }

    /// Drops what no decision depends on.
    pub fn tidy(&self, state: &mut State) {
        state.world.earlier.clear();
        for operator in &mut state.operators {
            operator.history.clear();
            operator.changes.clear();
        }
        let gone: Vec<(String, String)> = {
            let terminated = state.world.cloud.all().filter(|instance| instance.state == Life::Terminated);
            terminated.filter(|instance| !state.is_known(&instance.token)).map(|it| (it.id.clone(), it.token.clone())).collect()
        };
        if gone.is_empty() {
            return;
        }
        let is_gone = |instance: &Instance| gone.iter().any(|(id, _)| *id == instance.id);
        state.world.cloud.forget(|instance| !is_gone(instance));
        let keep = |instance: &Instance| instance.state != Life::Terminated || !is_gone(instance);
        state.world.shown.iter_mut().for_each(|shown| shown.retain(keep));
        for operator in &mut state.operators {
            operator.inventory.iter_mut().for_each(|list| list.instances.retain(keep));
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn first(&self) -> State {
        let mut cloud = Cloud { drain_timeout: DRAIN, stops: self.scope.pool > 0, ..Cloud::default() };
        Self::stopped(&mut cloud, self.scope.pool);
        let old_list = self.scope.grown.then(|| Inventory { at: cloud.time(), instances: Vec::new() });
        if self.scope.grown {
            let ids = cloud.run_instances("made-before", &offering("a"), "new", 1).unwrap();
            cloud.now += LONG_AGO;
            ids.iter().for_each(|id| cloud.register(id));
        }
        let wanted = u32::from(self.scope.grown);
        let mut world = World { sampled: true, shown: Some(cloud.all().cloned().collect()), cloud, ..World::default() };
        (world.queue.visible, world.status.desired) = (u64::from(wanted), wanted);
        let operator = |inventory| Operator { bug: self.scope.bug, inventory, ..Operator::default() };
        let operators = [operator(None), operator(old_list)];
        State { world, operators, under_way: [None, None], deleting: false, budget: self.scope.budget, most_wanted: wanted }
    }

    fn actions(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        for who in [0, 1] {
            match &state.under_way[who] {
                Some(reconcile) => self.goes_on(state, who, reconcile.question(), &mut actions),
                None if !state.world.status.gone => self.begins(state, who, &mut actions),
                None => {}
            }
        }
        let shown = state.world.shown.as_deref().unwrap_or_default();
        if !state.world.cloud.all().eq(shown.iter()) {
            actions.push(Action::CatchUp);
        }
        self.workers(state, &mut actions);
        if self.may_tick(state) {
            actions.push(Action::Tick);
        }
        if state.budget.changes > 0 && !state.deleting {
            let wanted = (0..=self.scope.most).filter(|wanted| u64::from(*wanted) != state.world.queue.visible);
            actions.extend(wanted.map(Action::Want));
        }
        if self.scope.deletion && !state.deleting {
            actions.push(Action::Delete);
        }
        actions
    }

    fn after(&self, state: &State, action: Action) -> State {
        let mut next = state.clone();
        let id = |index: usize| state.world.cloud.all().nth(index).map(|it| it.id.clone()).unwrap_or_default();
        match action {
            Action::Begin(who, list) => self.begin(&mut next, who, list),
            Action::GoOn(who, answer) => {
                next.budget.faults -= u8::from(answer != Answer::Fine);
                self.go_on(&mut next, who, answer);
            }
            Action::Crash(who) => {
                next.budget.faults -= 1;
                self.crash(&mut next, who);
            }
            Action::CatchUp => show_all(&mut next),
            Action::Tick => self.tick(&mut next),
            Action::Want(wanted) => {
                next.budget.changes -= 1;
                next.world.queue.visible = u64::from(wanted);
                next.most_wanted = next.most_wanted.max(wanted);
            }
            Action::Register(index) => next.world.cloud.register(&id(index)),
            Action::Leave(index) => next.world.cloud.leave(&id(index)),
            Action::Die(index) => {
                next.budget.deaths -= 1;
                next.world.cloud.die(&id(index));
            }
            Action::Delete => next.deleting = true,
        }
        if !self.scope.lags {
            show_all(&mut next);
        }
        self.tidy(&mut next);
        next
    }

    fn key(&self, state: &State) -> u128 {
        state.key()
    }

    fn broken(&mut self, state: &State) -> Option<String> {
        let cloud = &state.world.cloud;
        let (active, live) = (cloud.count(Instance::is_active), cloud.count(Instance::is_live));
        if active > state.most_wanted {
            return Some(format!("{active} workers are there, and never more than {} were wanted: {}", state.most_wanted, describe(state)));
        }
        if live > self.scope.most {
            return Some(format!("{live} instances live, and {} may", self.scope.most));
        }
        if !cloud.wronged.is_empty() {
            return Some(format!("terminated though ready, or with time left to drain: {:?}", cloud.wronged));
        }
        let left = cloud.count(|it| it.state != Life::Terminated);
        if state.world.status.gone && left > 0 {
            return Some(format!("the fleet is gone, and {left} instances are left: {}", describe(state)));
        }
        self.comes_to_rest(state).err()
    }
}

pub fn show_all(state: &mut State) {
    state.world.shown = Some(state.world.cloud.all().cloned().collect());
}

pub fn describe(state: &State) -> String {
    let one = |it: &Instance| format!("{} {:?} ready {} draining {}", it.id, it.state, it.ready, it.draining_since.is_some());
    let all: Vec<String> = state.world.cloud.all().filter(|it| it.state != Life::Terminated).map(one).collect();
    format!("{all:?}, intents {:?}", state.world.status.intents)
}
