//! A state: the cloud, the status that operators share, what each of them knows and does, and what may still go wrong. How it
//! is told from others: ids and tokens by their order, times by how long ago they were, operators by what they do, not by name.

use std::hash::{DefaultHasher, Hasher as _};

use jiff::Timestamp;
use plan::{Action, Instance, Intent, Inventory, Next, Question, State as Life};

use super::common::operator::{Operator, Told, World};
use super::common::reconcile::{Phase, Reconcile};

/// Seconds that pass at once: shorter than `STALE_AFTER`, so that there are lists of some age that still count.
pub const QUANTUM: i64 = 25;
/// No decision tells longer times apart: an intent is kept 120 s, an offering closed for 180 s.
const LONGEST: i64 = 8;

/// What may still go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Lost answers, throttles, refusals, crashes.
    pub faults: u8,
    /// Changes of what is wanted.
    pub changes: u8,
    /// Workers that die, never register or never leave.
    pub deaths: u8,
}

#[derive(Debug, Clone)]
pub struct State {
    pub world: World,
    pub operators: [Operator; 2],
    pub under_way: [Option<Reconcile>; 2],
    pub deleting: bool,
    pub budget: Budget,
    /// The most workers that were ever wanted.
    pub most_wanted: u32,
}

impl State {
    /// A number that states share only if nobody could tell them apart.
    pub fn key(&self) -> u128 {
        let keys = [[0, 1], [1, 0]].map(|order| {
            let mut words = Words { now: self.world.cloud.time(), ids: Vec::new(), tokens: Vec::new(), out: Vec::with_capacity(512) };
            words.state(self, order);
            words.out
        });
        let bytes = keys.into_iter().min().unwrap_or_default();
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(salt);
            hasher.write(&bytes);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }

    /// Whether anybody still asks about instances of this token.
    pub fn is_known(&self, token: &str) -> bool {
        let named = |intents: &[Intent]| intents.iter().any(|intent| intent.token == token);
        let under_way = |reconcile: &Reconcile| {
            named(&reconcile.status.intents) || reconcile.intents.iter().any(|pursued| pursued.intent.token == token)
        };
        named(&self.world.status.intents) || self.under_way.iter().flatten().any(under_way)
    }
}

/// A state in words that are the same for states alike.
struct Words<'a> {
    now: Timestamp,
    ids: Vec<&'a str>,
    tokens: Vec<&'a str>,
    out: Vec<u8>,
}

impl<'a> Words<'a> {
    fn state(&mut self, state: &'a State, order: [usize; 2]) {
        let Budget { faults, changes, deaths } = state.budget;
        let world = &state.world;
        let wanted = u8::try_from(world.queue.visible).unwrap_or(u8::MAX);
        self.out.extend([faults, changes, deaths, wanted, u8::try_from(state.most_wanted).unwrap_or(u8::MAX), u8::from(state.deleting)]);
        world.cloud.all().for_each(|instance| self.instance(instance));
        self.instances(world.shown.as_deref().unwrap_or_default());
        self.out.extend([u8::try_from(world.status.desired).unwrap_or(u8::MAX), u8::from(world.status.gone)]);
        self.intents(&world.status.intents);
        self.closed(&world.status.closed);
        for index in order {
            self.operator(&state.operators[index]);
            match &state.under_way[index] {
                Some(reconcile) => self.reconcile(reconcile, reconcile.status.version == world.status.version),
                None => self.out.push(255),
            }
        }
    }

    fn age(&mut self, at: Timestamp) {
        // Rounded down, or what ends within a quantum would look as if it had ended.
        let quanta = self.now.duration_since(at).as_secs().div_euclid(QUANTUM).clamp(-LONGEST, LONGEST);
        self.out.push(u8::try_from(quanta + LONGEST).unwrap_or(u8::MAX));
    }

    fn id(&mut self, id: &'a str) {
        self.out.push(place(&mut self.ids, id));
    }

    fn token(&mut self, token: &'a str) {
        self.out.push(place(&mut self.tokens, token));
    }

    fn instances(&mut self, instances: &'a [Instance]) {
        self.out.push(u8::try_from(instances.len()).unwrap_or(u8::MAX));
        instances.iter().for_each(|instance| self.instance(instance));
    }

    fn instance(&mut self, instance: &'a Instance) {
        self.id(&instance.id);
        self.token(&instance.token);
        let flags =
            u8::from(instance.ready) | u8::from(instance.reusable) << 1 | u8::from(instance.warm) << 2 | u8::from(instance.kept) << 3;
        self.out.extend([instance.state as u8, flags, instance.offering.instance_type.as_bytes()[0]]);
        if instance.state == Life::Terminated {
            return;
        }
        self.age(instance.launched_at);
        match instance.draining_since {
            Some(since) => self.age(since),
            None => self.out.push(255),
        }
        if instance.state == Life::Stopped {
            self.age(instance.stopped_since);
        }
    }

    fn inventory(&mut self, inventory: Option<&'a Inventory>) {
        match inventory {
            Some(inventory) => {
                self.age(inventory.at);
                self.instances(&inventory.instances);
            }
            None => self.out.push(255),
        }
    }

    fn intents(&mut self, intents: &'a [Intent]) {
        self.out.push(u8::try_from(intents.len()).unwrap_or(u8::MAX));
        intents.iter().for_each(|intent| self.intent(intent));
    }

    fn intent(&mut self, intent: &'a Intent) {
        self.token(&intent.token);
        let action = u8::from(intent.action == Action::Start) | u8::from(intent.answered) << 1;
        self.out.extend([action, u8::try_from(intent.count).unwrap_or(u8::MAX), intent.offering.instance_type.as_bytes()[0]]);
        self.age(intent.asked_at);
        if intent.action == Action::Start {
            self.age(intent.requested_at);
        }
        self.out.push(u8::try_from(intent.instance_ids.len()).unwrap_or(u8::MAX));
        intent.instance_ids.iter().for_each(|id| self.id(id));
    }

    fn closed(&mut self, closed: &[plan::Closed]) {
        self.out.push(u8::try_from(closed.len()).unwrap_or(u8::MAX));
        for plan::Closed { offering, until, probe } in closed {
            self.out.extend([offering.instance_type.as_bytes()[0], u8::try_from(*probe).unwrap_or(u8::MAX)]);
            self.age(*until);
        }
    }

    fn operator(&mut self, operator: &'a Operator) {
        self.inventory(operator.inventory.as_ref());
        for (id, told) in &operator.told {
            let (kind, at) = match told {
                Told::Drain(at) => (250, *at),
                Told::Terminate(at) => (251, *at),
                Told::Keep(at) => (252, *at),
            };
            self.out.push(kind);
            self.id(id);
            self.age(at);
        }
    }

    fn reconcile(&mut self, reconcile: &'a Reconcile, is_current: bool) {
        let (phase, plan) = (reconcile.phase, &reconcile.plan);
        let (place, asked) = match phase {
            Phase::Terminate => (0, 0),
            Phase::Write => (1, 0),
            Phase::Ask(index) => (2, u8::try_from(index).unwrap_or(u8::MAX)),
            Phase::Drain => (3, 0),
            Phase::Keep => (4, 0),
            Phase::Report => (5, 0),
            Phase::Over => (6, 0),
        };
        self.out.extend([240, place, asked, u8::from(is_current), u8::try_from(plan.desired).unwrap_or(u8::MAX), u8::from(plan.gone)]);
        self.age(reconcile.now);
        if phase <= Phase::Terminate {
            plan.terminate.iter().for_each(|ended| self.id(&ended.id));
            self.out.push(244);
            plan.give_up.iter().for_each(|id| self.id(id));
        }
        if phase <= Phase::Write {
            self.before_writing(reconcile);
        } else {
            reconcile.intents.iter().for_each(|pursued| self.pursued(pursued));
        }
        self.closed(&reconcile.status.closed);
        if phase <= Phase::Drain {
            self.out.push(241);
            plan.drain.iter().for_each(|id| self.id(id));
        }
    }

    fn before_writing(&mut self, reconcile: &'a Reconcile) {
        let plan = &reconcile.plan;
        for launch in &plan.launch {
            self.out.extend([242, u8::try_from(launch.count).unwrap_or(u8::MAX), launch.offering.instance_type.as_bytes()[0]]);
        }
        plan.start.iter().flat_map(|start| &start.ids).for_each(|id| self.id(id));
        self.out.push(243);
        plan.settle.iter().for_each(|token| self.token(token));
        self.intents(&reconcile.status.intents);
        self.inventory(reconcile.observed.inventory.as_ref());
    }

    fn pursued(&mut self, pursued: &'a super::common::reconcile::Pursued) {
        self.intent(&pursued.intent);
        let next = match &pursued.next {
            Next::Ask(Question::Launch) => 0,
            Next::Ask(Question::Start) => 1,
            Next::Ask(Question::Listed) => 2,
            Next::Done(_) => 3,
            Next::Void => 4,
            Next::Open { .. } => 5,
        };
        self.out.extend([next, u8::from(pursued.is_void)]);
        match pursued.asked_before {
            Some(at) => self.age(at),
            None => self.out.push(255),
        }
    }
}

/// The name's place among those that were met before.
fn place<'a>(names: &mut Vec<&'a str>, name: &'a str) -> u8 {
    let found = names.iter().position(|known| *known == name);
    let place = found.unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    });
    u8::try_from(place).unwrap_or(u8::MAX)
}
