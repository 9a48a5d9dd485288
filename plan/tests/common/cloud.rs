//! A small EC2: launches are idempotent by token, machines boot, drain, stop and start, and lists lag.

use std::collections::{BTreeMap, HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};
use plan::{Instance, Offering, State};

use super::noon;

/// Lists are at most so many seconds behind.
pub const LAG: usize = 10;
/// EC2 forgets terminated instances after about an hour; enough for us.
const REMEMBERED: i64 = 1200;

/// Why EC2 did not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NoRoom,
    WrongState,
    TokenIsOver,
}

#[derive(Debug, Clone)]
pub struct Machine {
    is: Instance,
    /// When `is.state` began, in seconds after noon.
    since: i64,
    started: i64,
}

/// EC2, and what its machines do.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Seconds after noon.
    pub now: i64,
    /// Seconds from launch to ready, and from start to ready.
    pub boot: (i64, i64),
    /// Seconds that a worker needs to finish what it has.
    pub busy: i64,
    /// Workers stop rather than terminate when they leave.
    pub stops: bool,
    /// Workers of these never become ready.
    pub broken: HashSet<String>,
    /// Launches and starts are refused here.
    pub no_room: HashSet<Offering>,
    /// No more than so many are launched at once.
    pub at_once: u32,
    pub launches: u32,
    pub starts: u32,
    /// Workers that were terminated though they were ready, or had still time to drain.
    pub wronged: Vec<String>,
    /// Seconds that a worker has to drain.
    pub drain_timeout: i64,
    pub machines: Vec<Machine>,
    pub past: VecDeque<Vec<Instance>>,
    pub tokens: BTreeMap<String, Vec<String>>,
}

impl Default for Cloud {
    fn default() -> Self {
        Self {
            now: 0,
            boot: (30, 20),
            busy: 5,
            stops: false,
            broken: HashSet::new(),
            no_room: HashSet::new(),
            at_once: u32::MAX,
            launches: 0,
            starts: 0,
            wronged: Vec::new(),
            drain_timeout: 0,
            machines: Vec::new(),
            past: VecDeque::new(),
            tokens: BTreeMap::new(),
        }
    }
}

impl Cloud {
    pub fn time(&self) -> Timestamp {
        noon() + SignedDuration::from_secs(self.now)
    }

    pub fn run_instances(&mut self, token: &str, offering: &Offering, revision: &str, count: u32) -> Result<Vec<String>, Refusal> {
        if let Some(ids) = self.tokens.get(token) {
            let over = ids.iter().all(|id| self.is(id).is_none_or(|machine| machine.state == State::Terminated));
            return if over { Err(Refusal::TokenIsOver) } else { Ok(ids.clone()) };
        }
        if self.no_room.contains(offering) {
            return Err(Refusal::NoRoom);
        }
        let count = count.min(self.at_once);
        let ids: Vec<String> = (0..count).map(|n| format!("i-{}", self.launches + n)).collect();
        self.launches += count;
        for id in &ids {
            let machine = Machine { is: self.instance(id, offering, revision, token), since: self.now, started: self.now };
            self.machines.push(machine);
        }
        self.tokens.insert(token.to_owned(), ids.clone());
        Ok(ids)
    }

    fn instance(&self, id: &str, offering: &Offering, revision: &str, token: &str) -> Instance {
        Instance {
            id: id.to_owned(),
            state: State::Pending,
            launched_at: self.time(),
            offering: offering.clone(),
            revision: revision.to_owned(),
            token: token.to_owned(),
            ready: false,
            reusable: false,
            jobs_per_second: None,
            warm: false,
            kept: false,
            draining_since: None,
            boots_since: self.time(),
            stopped_since: self.time(),
        }
    }

    /// Starts what is stopped. What runs already is left as it is; anything else is refused, and nothing started.
    pub fn start_instances(&mut self, ids: &[String]) -> Result<(), Refusal> {
        let state = |id: &String| self.is(id).map(|machine| (machine.state, machine.offering.clone()));
        let states: Vec<_> = ids.iter().map(state).collect();
        let fits = |state: &Option<(State, Offering)>| matches!(state, Some((State::Stopped | State::Pending | State::Running, _)));
        if !states.iter().all(fits) {
            return Err(Refusal::WrongState);
        }
        if states.iter().flatten().any(|(_, offering)| self.no_room.contains(offering)) {
            return Err(Refusal::NoRoom);
        }
        let (now, time) = (self.now, self.time());
        for machine in self.machines.iter_mut().filter(|machine| ids.contains(&machine.is.id) && machine.is.state == State::Stopped) {
            machine.is = Instance {
                state: State::Pending,
                launched_at: time,
                ready: false,
                reusable: false,
                warm: true,
                kept: false,
                draining_since: None,
                boots_since: time,
                stopped_since: time,
                ..machine.is.clone()
            };
            (machine.since, machine.started) = (now, now);
            self.starts += 1;
        }
        Ok(())
    }

    pub fn drain(&mut self, ids: &[String]) {
        let time = self.time();
        let told = self.machines.iter_mut().filter(|machine| ids.contains(&machine.is.id));
        told.filter(|machine| machine.is.is_live()).for_each(|machine| {
            machine.is.draining_since = Some(time);
            machine.is.stopped_since = time;
        });
    }

    pub fn keep(&mut self, ids: &[String]) {
        let told = self.machines.iter_mut().filter(|machine| ids.contains(&machine.is.id));
        told.for_each(|machine| machine.is.kept = true);
    }

    pub fn terminate(&mut self, ids: &[String]) {
        let (now, time) = (self.now, self.time());
        for machine in self.machines.iter_mut().filter(|machine| ids.contains(&machine.is.id)) {
            let has_time = |since: Timestamp| time.duration_since(since).as_secs() <= self.drain_timeout;
            if machine.is.state == State::Running && machine.is.ready && machine.is.draining_since.is_none_or(has_time) {
                self.wronged.push(machine.is.id.clone());
            }
            if !matches!(machine.is.state, State::Terminated | State::ShuttingDown) {
                machine.enter(State::ShuttingDown, now);
            }
        }
    }

    /// What happens to spot instances, and to hardware.
    pub fn take_away(&mut self, id: &str) {
        let now = self.now;
        self.machines.iter_mut().filter(|machine| machine.is.id == id).for_each(|machine| machine.enter(State::ShuttingDown, now));
    }

    /// A worker is ready.
    pub fn register(&mut self, id: &str) {
        self.machines.iter_mut().filter(|machine| machine.is.id == id).for_each(Machine::register);
    }

    /// A worker has left: its machine is off.
    pub fn leave(&mut self, id: &str) {
        let (now, stops) = (self.now, self.stops);
        for machine in self.machines.iter_mut().filter(|machine| machine.is.id == id) {
            machine.is.reusable = machine.is.ready;
            machine.enter(if stops { State::Stopped } else { State::Terminated }, now);
        }
    }

    /// A machine is gone at once.
    pub fn die(&mut self, id: &str) {
        let now = self.now;
        self.machines.iter_mut().filter(|machine| machine.is.id == id).for_each(|machine| machine.enter(State::Terminated, now));
    }

    /// Forgets terminated machines but those that `is_known` names.
    pub fn forget(&mut self, is_known: impl Fn(&Instance) -> bool) {
        self.machines.retain(|machine| machine.is.state != State::Terminated || is_known(&machine.is));
        let machines = &self.machines;
        self.tokens.retain(|_, ids| ids.iter().any(|id| machines.iter().any(|machine| machine.is.id == *id)));
    }

    /// One second passes.
    pub fn tick(&mut self) {
        self.now += 1;
        let (now, boot, busy, stops) = (self.now, self.boot, self.busy, self.stops);
        for machine in &mut self.machines {
            let works = !self.broken.contains(&machine.is.revision);
            machine.live_on(now, boot, busy, stops, works);
        }
        self.machines.retain(|machine| machine.is.state != State::Terminated || now - machine.since < REMEMBERED);
        self.past.push_front(self.machines.iter().map(|machine| machine.is.clone()).collect());
        self.past.truncate(LAG + 1);
    }

    /// What EC2 lists, so many seconds behind.
    pub fn list(&self, lag: usize) -> Vec<Instance> {
        match lag {
            0 => self.all().cloned().collect(),
            _ => self.past.get(lag.min(self.past.len().saturating_sub(1))).cloned().unwrap_or_default(),
        }
    }

    /// How it really is.
    pub fn all(&self) -> impl Iterator<Item = &Instance> {
        self.machines.iter().map(|machine| &machine.is)
    }

    pub fn is(&self, id: &str) -> Option<&Instance> {
        self.all().find(|instance| instance.id == id)
    }

    pub fn count(&self, fits: impl Fn(&Instance) -> bool) -> u32 {
        u32::try_from(self.all().filter(|instance| fits(instance)).count()).unwrap()
    }

    pub fn with_token(&self, token: &str) -> Vec<String> {
        self.tokens.get(token).cloned().unwrap_or_default()
    }
}

impl Machine {
    fn enter(&mut self, state: State, now: i64) {
        (self.is.state, self.since) = (state, now);
    }

    fn register(&mut self) {
        (self.is.ready, self.is.jobs_per_second) = (true, Some(1.0));
    }

    fn live_on(&mut self, now: i64, boot: (i64, i64), busy: i64, stops: bool, works: bool) {
        let booted = works && now - self.started >= if self.is.warm { boot.1 } else { boot.0 };
        let told = self.is.draining_since.map(|since| since.duration_since(noon()).as_secs());
        match self.is.state {
            State::Pending if now - self.since >= 2 => self.enter(State::Running, now),
            State::Running if booted && told.is_some_and(|told| now - told >= if self.is.ready { busy } else { 0 }) => {
                self.enter(if stops && !self.is.offering.spot { State::Stopping } else { State::ShuttingDown }, now);
            }
            State::Running if booted && told.is_none() && !self.is.ready => {
                self.register();
            }
            State::Stopping if now - self.since >= 3 => {
                self.is.reusable = self.is.ready;
                self.enter(State::Stopped, now);
            }
            State::ShuttingDown if now - self.since >= 3 => self.enter(State::Terminated, now),
            _ => {}
        }
    }
}
