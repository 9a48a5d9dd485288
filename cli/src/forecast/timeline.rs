//! The plan, carried out second by second by an EC2 that has room where it is not closed, and by workers that all do as
//! many jobs. Not a simulator: no lost answers, no lag, no luck.

use jiff::{SignedDuration, Timestamp};
use plan::{Change, Fleet, Instance, Observed, Plan, Recommendation, State};
use serde::Serialize;

use super::rates;

/// It is looked ahead so far; less far where jobs keep arriving, for then it never comes to rest.
const HORIZON_SECONDS: i64 = 3600;
const HORIZON_WITH_ARRIVALS_SECONDS: i64 = 600;
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// How it goes on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// A row whenever something changes.
    pub rows: Vec<Row>,
    /// So many seconds were looked ahead.
    pub seconds: i64,
    /// Seconds until nothing waits; none: something always does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained_after_seconds: Option<i64>,
}

/// How it is at a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Seconds from now.
    pub second: i64,
    /// Jobs that wait, are in work, or delayed.
    pub backlog: u64,
    /// Workers wanted.
    pub desired: u32,
    /// Workers that take jobs.
    pub ready: usize,
    /// Workers launched or started, and not ready.
    pub starting: usize,
    /// Workers that finish what they have.
    pub draining: usize,
    /// Stopped workers.
    pub stopped: usize,
}

struct World<'a> {
    fleet: &'a Fleet,
    observed: Observed,
    /// Jobs, in parts: a worker does half of one in half its time.
    jobs: f64,
    launched: u32,
    now: Timestamp,
}

impl Timeline {
    /// From `observed` at `now` until nothing changes any more, an hour at most.
    #[must_use]
    pub fn run(fleet: &Fleet, observed: Observed, now: Timestamp) -> Self {
        let queue = observed.queue.unwrap_or_default();
        #[allow(clippy::cast_precision_loss)] // jobs are far below 2⁵³
        let jobs = queue.visible.saturating_add(queue.in_flight).saturating_add(queue.delayed) as f64;
        let mut world = World { fleet, observed, jobs, launched: 0, now };
        let (mut rows, mut drained, mut changed): (Vec<Row>, _, _) = (Vec::new(), None, 0);
        let quiet = quiet_seconds(fleet);
        let arrives = world.observed.arrivals_per_second > 0.0;
        let horizon = if arrives { HORIZON_WITH_ARRIVALS_SECONDS } else { HORIZON_SECONDS };
        let mut seconds = 0;
        for second in 0..=horizon {
            seconds = second;
            let plan = plan::decide(fleet, &world.observed, world.now);
            world.act(&plan);
            let row = world.row(second, plan.desired);
            let empties = drained.is_none() && row.backlog == 0;
            drained = drained.or(empties.then_some(second));
            if empties || rows.last().is_none_or(|last| differs(last, &row)) {
                rows.push(row);
                changed = second;
            }
            if row.backlog == 0 && second - changed > quiet {
                break;
            }
            world.pass();
        }
        Self { rows, seconds, drained_after_seconds: drained }
    }
}

/// What changes nothing for so long changes no more: all windows, periods and paid minutes are over.
fn quiet_seconds(fleet: &Fleet) -> i64 {
    let rules = [&fleet.scale_up, &fleet.scale_down];
    let periods = rules.into_iter().flat_map(|rules| rules.policies.iter().map(|policy| policy.period).chain([rules.window]));
    let pool = if fleet.pool.max > 0 { fleet.pool.idle } else { SignedDuration::ZERO };
    periods.chain([pool, plan::PAID_MINUTE]).max().unwrap_or_default().as_secs()
}

/// Draining takes a moment here: that it is over is no row of its own.
fn differs(a: &Row, b: &Row) -> bool {
    let what = |row: &Row| (row.desired, row.ready, row.starting, row.stopped);
    what(a) != what(b)
}

impl World<'_> {
    fn instances(&mut self) -> &mut Vec<Instance> {
        &mut self.observed.inventory.get_or_insert_with(|| plan::Inventory { at: Timestamp::UNIX_EPOCH, instances: Vec::new() }).instances
    }

    /// EC2 and the workers do at once what the plan says.
    fn act(&mut self, plan: &Plan) {
        let now = self.now;
        let by = i64::from(plan.desired) - i64::from(self.observed.desired);
        self.observed.changes.extend((by != 0).then_some(Change { at: now, by }));
        self.observed.history.extend(plan.recommendation.map(|workers| Recommendation { at: now, workers }));
        self.observed.desired = plan.desired;
        for launch in &plan.launch {
            for _ in 0..launch.count {
                self.launched += 1;
                let number = 1_000_000 + self.launched;
                let launched = super::instance(&launch.offering, number, State::Running, false, None, now);
                self.instances().push(launched);
            }
        }
        let started: Vec<&String> = plan.start.iter().flat_map(|start| &start.ids).collect();
        for instance in self.instances() {
            if started.contains(&&instance.id) {
                (instance.state, instance.launched_at, instance.warm) = (State::Running, now, true);
            }
            instance.kept |= plan.keep.contains(&instance.id);
            if plan.told_to_leave().any(|id| *id == instance.id) {
                instance.draining_since = Some(now);
            }
        }
        self.instances().retain(|instance| !plan.terminate.iter().any(|ended| ended.id == instance.id));
    }

    /// A second passes: jobs arrive and are done, workers become ready, those that drain are done.
    fn pass(&mut self) {
        let (rate, cold, warm) = rates(&self.observed);
        self.now += SECOND;
        let (now, pool) = (self.now, self.fleet.pool.max > 0);
        let mut done = 0.0;
        for instance in self.instances() {
            if instance.is_live() && instance.ready {
                done += instance.jobs_per_second.unwrap_or(rate);
            }
            let boot = if instance.warm { warm } else { cold };
            if instance.is_active() && now.duration_since(instance.launched_at) >= boot {
                (instance.ready, instance.jobs_per_second) = (true, Some(rate));
            }
            if instance.draining_since.take().is_some() {
                // It stops itself while there is a pool, else it is gone.
                let reusable = instance.ready && pool && !instance.offering.spot;
                (instance.state, instance.ready, instance.reusable) = (State::Terminated, false, reusable);
                if reusable {
                    (instance.state, instance.stopped_since, instance.warm) = (State::Stopped, now, true);
                }
            }
        }
        self.instances().retain(|instance| instance.state != State::Terminated);
        self.jobs = (self.jobs + self.observed.arrivals_per_second - done).max(0.0);
        self.sample();
    }

    fn sample(&mut self) {
        let (now, visible) = (self.now, self.backlog());
        self.observed.queue = Some(plan::QueueDepth { visible, in_flight: 0, delayed: 0 });
        // First in, first out: what waits arrived at the latest as long ago as so many take to arrive.
        let arrivals = self.observed.arrivals_per_second;
        let youngest = (arrivals > 0.0).then(|| SignedDuration::try_from_secs_f64(self.jobs / arrivals).ok()).flatten();
        let oldest = self.observed.waiting.oldest.filter(|_| visible > 0);
        self.observed.waiting.oldest = oldest.map(|oldest| youngest.map_or(oldest, |age| oldest.max(now - age)));
        if let Some(inventory) = &mut self.observed.inventory {
            inventory.at = now;
        }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of jobs, not below 0
    fn backlog(&self) -> u64 {
        (self.jobs - 1e-9).ceil().max(0.0) as u64
    }

    fn row(&mut self, second: i64, desired: u32) -> Row {
        let backlog = self.backlog();
        let instances = &*self.instances();
        let number = |is: &dyn Fn(&Instance) -> bool| instances.iter().filter(|instance| is(instance)).count();
        Row {
            second,
            backlog,
            desired,
            ready: number(&|instance| instance.is_active() && instance.ready),
            starting: number(&|instance| instance.is_active() && !instance.ready),
            draining: number(&|instance| instance.is_live() && instance.draining_since.is_some()),
            stopped: number(&|instance| instance.state == State::Stopped),
        }
    }
}
