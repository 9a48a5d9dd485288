//! Whatever goes wrong between the decision and EC2, in whichever order: nothing is doubled, nothing exceeds what is allowed,
//! and when it is over the fleet is what it should be. Two operators share a status that is written only over the version
//! that was read; their lists lag and are old, their watches lag, they end at any point, EC2's answers are lost.
#![allow(clippy::unwrap_used)]

mod common;

use common::cloud::{Cloud, LAG};
use common::operator::{Answer, CALM, Operator, Weather, World};
use common::{fleet, offering, secs, spot};
use plan::{Fleet, Instance, Pool, State, Update};
use proptest::prelude::*;

/// What happens before a step.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    /// So many jobs wait.
    Jobs(u64),
    /// EC2 takes away a machine.
    Kill(usize),
    /// The template is changed; workers made from it may never become ready.
    Template {
        works: bool,
    },
    Max(u32),
    /// The queue cannot be sampled until the next change of jobs.
    Deaf,
}

/// A step of one of the operators.
#[derive(Debug, Clone, Copy)]
struct Step {
    who: bool,
    /// Seconds before it.
    wait: i64,
    weather: Weather,
    event: Event,
}

fn answers() -> impl Strategy<Value = Answer> {
    use Answer::{Fine, Lost, Partial, Refused, Throttled};
    prop_oneof![8 => Just(Fine), 3 => Just(Lost), 1 => Just(Throttled), 1 => Just(Refused), 1 => Just(Partial)]
}

/// No answer that changes how many there are in the end.
fn harmless() -> impl Strategy<Value = Answer> {
    prop_oneof![3 => Just(Answer::Fine), 2 => Just(Answer::Lost), 1 => Just(Answer::Throttled)]
}

fn weathers(answers: impl Strategy<Value = Answer>) -> impl Strategy<Value = Weather> {
    let list = proptest::option::weighted(0.6, 0..=LAG);
    let crash = proptest::option::weighted(0.3, 0u32..6);
    (list, prop_oneof![3 => Just(0usize), 1 => 1usize..4], crash, answers).prop_map(|(list, watch, crash, answer)| Weather {
        list,
        watch,
        crash,
        answer,
    })
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => Just(Event::Nothing),
        4 => (0u64..60).prop_map(Event::Jobs),
        1 => (0usize..9).prop_map(Event::Kill),
        1 => any::<bool>().prop_map(|works| Event::Template { works }),
        1 => (1u32..9).prop_map(Event::Max),
        1 => Just(Event::Deaf),
    ]
}

fn steps(answers: impl Strategy<Value = Answer>, events: impl Strategy<Value = Event>) -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![4 => 0i64..4, 1 => 4i64..25, 1 => Just(70)];
    let step = (any::<bool>(), wait, weathers(answers), events).prop_map(|(who, wait, weather, event)| Step { who, wait, weather, event });
    proptest::collection::vec(step, 1..60)
}

prop_compose! {
    fn fleets()(min in 0u32..3, max in 3u32..9, pool in prop_oneof![Just((0, 0)), (1u32..5, 0u32..3)], surge in 0u32..3,
                unavailable in 0u32..3, spots: bool, base in 0u32..3, window in 0i64..70) -> Fleet {
        let offerings = if spots { vec![spot("a"), offering("a"), offering("b")] } else { vec![offering("a"), offering("b")] };
        Fleet {
            min, max, offerings,
            pool: Pool { max: pool.0, prepared: pool.1.min(pool.0), idle: secs(200) },
            update: Update { max_surge: surge, max_unavailable: if surge == 0 { unavailable.max(1) } else { unavailable } },
            on_demand_base: if spots { base } else { 0 },
            scale_down: common::rules(window),
            boot_timeout: secs(60), drain_timeout: secs(40), ..fleet()
        }
    }
}

/// A fleet, its cloud and its operators.
struct Trial {
    fleet: Fleet,
    world: World,
    operators: [Operator; 2],
    templates: u32,
    /// The highest max that the fleet ever had.
    most: u32,
}

impl Trial {
    fn new(fleet: Fleet) -> Self {
        let drain_timeout = fleet.drain_timeout.as_secs();
        let cloud = Cloud { stops: fleet.pool.max > 0, boot: (12, 7), busy: 4, drain_timeout, ..Cloud::default() };
        let world = World { cloud, sampled: true, ..World::default() };
        Self { most: fleet.max, fleet, world, operators: [Operator::default(), Operator::default()], templates: 0 }
    }

    fn play(&mut self, step: Step) -> Result<(), TestCaseError> {
        for _ in 0..step.wait {
            self.world.cloud.tick();
        }
        self.happen(step.event);
        self.operators[usize::from(step.who)].step(&self.fleet, &mut self.world, step.weather);
        self.bounded()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Nothing => {}
            Event::Jobs(jobs) => (self.world.queue.visible, self.world.sampled) = (jobs, true),
            Event::Kill(number) => {
                let live: Vec<String> = self.world.cloud.all().filter(|it| it.is_live()).map(|it| it.id.clone()).collect();
                if let Some(id) = live.get(number) {
                    self.world.cloud.take_away(id);
                }
            }
            Event::Template { works } => {
                self.templates += 1;
                self.fleet.revision = format!("new-{}", self.templates);
                if !works {
                    self.world.cloud.broken.insert(self.fleet.revision.clone());
                }
            }
            Event::Max(max) => {
                self.fleet.max = max.max(self.fleet.min);
                self.most = self.most.max(self.fleet.max);
            }
            Event::Deaf => self.world.sampled = false,
        }
    }

    /// Never more than there may ever have been, whatever the operators believed.
    fn bounded(&self) -> Result<(), TestCaseError> {
        let live = self.world.cloud.count(Instance::is_live);
        let allowed = self.most + self.fleet.update.max_surge;
        prop_assert!(live <= allowed, "{live} live, {allowed} may");
        prop_assert!(
            self.world.cloud.wronged.is_empty(),
            "terminated though ready, or with time left to drain: {:?}",
            self.world.cloud.wronged
        );
        Ok(())
    }

    /// The weather clears; long enough that all is known and done.
    fn calm_down(&mut self, seconds: i64) -> Result<(), TestCaseError> {
        for second in 0..seconds {
            self.world.cloud.tick();
            if second % 4 == 0 {
                self.operators[usize::from(second % 8 == 0)].step(&self.fleet, &mut self.world, CALM);
                self.bounded()?;
            }
        }
        Ok(())
    }

    fn wanted(&self) -> u32 {
        let asked = u32::try_from(self.world.queue.visible.div_ceil(5)).unwrap();
        asked.clamp(self.fleet.min, self.fleet.max)
    }

    fn describe(&self) -> String {
        let one = |it: &Instance| format!("{} {:?} ready {} draining {}", it.id, it.state, it.ready, it.draining_since.is_some());
        let all: Vec<String> = self.world.cloud.all().filter(|it| it.state != State::Terminated).map(one).collect();
        format!("{all:#?}\n{:?}", self.world.status)
    }
}

/// The tolerance would keep a number that is near enough.
fn exact(fleet: Fleet) -> Fleet {
    let (mut up, mut down) = (fleet.scale_up.clone(), fleet.scale_down.clone());
    (up.tolerance, down.tolerance) = (0.0, 0.0);
    Fleet { scale_up: up, scale_down: down, ..fleet }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn after_any_weather_the_fleet_is_what_it_should_be(fleet in fleets(), steps in steps(answers(), events())) {
        let mut trial = Trial::new(exact(fleet));
        for step in steps {
            trial.play(step)?;
        }
        // Whoever broke the template mends it.
        if trial.world.cloud.broken.contains(&trial.fleet.revision) {
            trial.happen(Event::Template { works: true });
        }
        trial.world.sampled = true;
        trial.calm_down(1500)?;
        let cloud = &trial.world.cloud;
        let (wanted, revision) = (trial.wanted(), &trial.fleet.revision);
        prop_assert_eq!(cloud.count(|it| it.is_active() && it.ready && it.revision == *revision), wanted, "{}", trial.describe());
        prop_assert_eq!(cloud.count(Instance::is_live), wanted, "{}", trial.describe());
        let stopped = cloud.count(|it| it.state == State::Stopped);
        // Workers for the pool boot beside the others, and max bounds them all.
        let prepared = trial.fleet.pool.prepared.min(trial.fleet.max - wanted);
        prop_assert!((prepared..=trial.fleet.pool.max).contains(&stopped), "{} stopped\n{}", stopped, trial.describe());
        prop_assert_eq!(&trial.world.status.intents, &vec![], "all intents have served");
    }

    /// So many are wanted from the beginning to the end: no more are ever launched, whatever happens on the way, but for those lost.
    #[test]
    fn a_steady_fleet_is_launched_once(jobs in 1u64..45, surge in 0u32..3, steps in steps(harmless(), Just(Event::Nothing))) {
        let mut trial = Trial::new(Fleet { max: 9, update: Update { max_surge: surge, max_unavailable: 1 }, ..fleet() });
        trial.world.queue.visible = jobs;
        for step in steps {
            trial.play(step)?;
            prop_assert!(trial.world.cloud.launches <= trial.wanted(), "{}", trial.describe());
        }
        trial.calm_down(400)?;
        prop_assert_eq!(trial.world.cloud.launches, trial.wanted(), "{}", trial.describe());
    }

    /// The same of starts: as many as are missing are started, each once, and nothing is launched while the pool has some.
    #[test]
    fn a_pool_is_started_once(jobs in 1u64..20, steps in steps(harmless(), Just(Event::Nothing))) {
        let pool = Pool { max: 4, prepared: 4, idle: secs(100_000) };
        let mut trial = Trial::new(Fleet { max: 9, pool, ..fleet() });
        trial.calm_down(120)?;
        prop_assert_eq!((trial.world.cloud.launches, trial.world.cloud.count(|it| it.state == State::Stopped)), (4, 4));
        trial.fleet.pool.prepared = 0;
        trial.world.queue.visible = jobs;
        for step in steps {
            trial.play(step)?;
            prop_assert!(trial.world.cloud.starts <= trial.wanted() && trial.world.cloud.launches == 4, "{}", trial.describe());
        }
        trial.calm_down(400)?;
        prop_assert_eq!((trial.world.cloud.launches, trial.world.cloud.starts), (4, trial.wanted()), "{}", trial.describe());
    }

    /// A fleet that is deleted in any state leaves nothing behind, and launches nothing more.
    #[test]
    fn a_deleted_fleet_leaves_nothing(fleet in fleets(), steps in steps(answers(), events())) {
        let mut trial = Trial::new(fleet);
        let half = steps.len() / 2;
        for (number, step) in steps.into_iter().enumerate() {
            trial.fleet.deleting = number >= half;
            trial.play(step)?;
        }
        trial.fleet.deleting = true;
        let launches = trial.world.cloud.launches;
        trial.calm_down(700)?;
        prop_assert_eq!(trial.world.cloud.launches, launches);
        prop_assert_eq!(trial.world.cloud.count(|it| it.state != State::Terminated), 0, "{}", trial.describe());
        let plan = trial.operators[0].step(&trial.fleet, &mut trial.world, CALM);
        prop_assert!(plan.gone && trial.world.status.intents.iter().all(|intent| intent.answered), "{}", trial.describe());
    }
}
