//! A fleet played through time, second by second, with one operator and a cloud that does as it is told. What happens is
//! written down, so that a test can say what should have.

use jiff::Timestamp;
use plan::{Fleet, Offering, Plan, State};

use super::cloud::Cloud;
use super::operator::{CALM, Operator, Weather, World};
use super::{fleet, noon};

pub struct Play {
    pub fleet: Fleet,
    pub world: World,
    pub weather: Weather,
    pub log: Vec<String>,
    /// Workers do a job a second each.
    pub works: bool,
    /// Seconds between two decisions.
    pub pace: i64,
    /// The most instances that ever lived at once, those that drain included.
    pub most: u32,
    pub plan: Option<Plan>,
    operator: Operator,
    done: u64,
}

impl Play {
    /// `change` is what the fleet has different from [`fleet`].
    pub fn of(change: impl FnOnce(&mut Fleet)) -> Self {
        let mut fleet = fleet();
        change(&mut fleet);
        let cloud = Cloud { stops: fleet.pool.max > 0, ..Cloud::default() };
        let world = World { cloud, sampled: true, ..World::default() };
        let operator = Operator::default();
        Self { fleet, world, weather: CALM, log: vec![], works: false, pace: 1, most: 0, plan: None, operator, done: 0 }
    }

    /// So many jobs wait from now on.
    pub fn jobs(&mut self, visible: u64) -> &mut Self {
        self.world.queue.visible = visible;
        self.world.waiting.oldest = (visible > 0).then(|| self.now());
        self
    }

    pub fn now(&self) -> Timestamp {
        self.world.cloud.time()
    }

    /// So many seconds pass.
    pub fn run(&mut self, seconds: i64) -> &mut Self {
        for _ in 0..seconds {
            if self.world.cloud.now % self.pace == 0 {
                self.decide();
            }
            self.world.cloud.tick();
            self.work();
            let live = self.world.cloud.count(plan::Instance::is_live);
            self.most = self.most.max(live);
        }
        self
    }

    fn work(&mut self) {
        if self.works {
            let done = u64::from(self.world.cloud.count(|it| it.is_active() && it.ready)).min(self.world.queue.visible);
            self.world.queue.visible -= done;
            self.done += done;
            if self.world.queue.visible == 0 {
                self.world.waiting.oldest = None;
            }
        }
    }

    fn decide(&mut self) {
        let plan = self.operator.step(&self.fleet, &mut self.world, self.weather);
        let at = self.world.cloud.now;
        let name = |offering: &Offering| offering.to_string();
        self.log.extend(plan.start.iter().map(|start| format!("{at}: start {}", start.ids.join(" "))));
        self.log.extend(plan.launch.iter().map(|launch| format!("{at}: launch {} {}", launch.count, name(&launch.offering))));
        if !plan.drain.is_empty() {
            self.log.push(format!("{at}: drain {}", plan.drain.join(" ")));
        }
        if !plan.give_up.is_empty() {
            self.log.push(format!("{at}: give up {}", plan.give_up.join(" ")));
        }
        if !plan.keep.is_empty() {
            self.log.push(format!("{at}: keep {}", plan.keep.join(" ")));
        }
        self.log.extend(plan.terminate.iter().map(|ended| format!("{at}: terminate {} {:?}", ended.id, ended.reason)));
        let before = self.plan.replace(plan).and_then(|before| before.alarm);
        if let Some(alarm) = self.plan.as_ref().and_then(|plan| plan.alarm).filter(|alarm| before != Some(*alarm)) {
            self.log.push(format!("{at}: alarm {alarm:?}"));
        }
    }

    /// What happened since this was last asked.
    pub fn happened(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// Fails unless just this happened since it was last asked.
    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        let happened = self.happened();
        assert_eq!(happened, expected, "{}", happened.iter().map(|line| format!("{line:?}, ")).collect::<String>());
    }

    /// So many seconds pass, and nobody decides anything.
    pub fn pass(&mut self, seconds: i64) {
        (0..seconds).for_each(|_| self.world.cloud.tick());
    }

    pub fn steps(&self) -> Vec<&str> {
        self.plan.iter().flat_map(|plan| plan.steps.iter().map(String::as_str)).collect()
    }

    /// Ids of those that take jobs or will, in order.
    pub fn workers(&self) -> Vec<&str> {
        self.world.cloud.all().filter(|it| it.is_active()).map(|it| it.id.as_str()).collect()
    }

    pub fn ready(&self) -> u32 {
        self.world.cloud.count(|it| it.is_active() && it.ready)
    }

    pub fn in_state(&self, state: State) -> u32 {
        self.world.cloud.count(|it| it.state == state)
    }

    pub fn on(&self, revision: &str) -> u32 {
        self.world.cloud.count(|it| it.is_active() && it.revision == revision)
    }

    pub fn done(&self) -> u64 {
        self.done
    }

    pub fn seconds(&self) -> i64 {
        self.now().duration_since(noon()).as_secs()
    }
}
