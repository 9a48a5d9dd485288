//! A ClassifierFleet as a policy: the operator's own observation, decision and pace. What is stood in for is the Kubernetes API and the
//! way to AWS: plans are carried out on the state machine at once (`act`), so that nothing is lost, doubled or refused for its rate.

mod act;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cloudsim::state::{Instance, Phase};
use crds::{ClassifierFleet, RolloutStatus};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use operator::memory::Memory;
use operator::observe::inventory::Snapshot;
use operator::observe::{Observation, Sources, observation};
use operator::pace::{is_busy, pause};
use operator::prices::Prices;
use plan::{Plan, QueueDepth, Waiting, decide};

use crate::lock;
use crate::policy::Policy;
use crate::world::{Settings, World};

const UID: &str = "simulated";
const REVISION: &str = "current";
/// The operator's settings of these names, by default.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const IDLE_SAMPLE_INTERVAL: Duration = Duration::from_secs(15);
/// The inventory is listed so often while something changes.
const LISTED_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// A ClassifierFleet as a policy.
#[derive(Debug, Clone)]
pub struct Fleet {
    name: String,
    fleet: ClassifierFleet,
}

impl Fleet {
    /// `fleet` without its status: a new one, of which nothing was learned yet.
    #[must_use]
    pub fn new(name: String, mut fleet: ClassifierFleet) -> Self {
        fleet.status = None;
        Self { name, fleet }
    }
}

impl Policy for Fleet {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn adapt(&self, settings: &mut Settings) {
        let (workers, queues) = (&self.fleet.spec.workers, &self.fleet.spec.queues);
        settings.worker.idle_shutdown = u64::try_from(workers.idle_shutdown_seconds).ok().map(Duration::from_secs);
        settings.requests.visibility = SignedDuration::from_secs(queues.visibility_timeout_seconds.into());
        settings.requests.max_receives = u32::try_from(queues.max_receives).ok();
    }

    fn scale(&self, world: Arc<World>) -> BoxFuture<'static, ()> {
        let operator = Operator { world, fleet: self.fleet.clone(), memory: Memory::default(), snapshot: None, tokens: 0 };
        operator.run().boxed()
    }
}

/// What the operator is to one fleet.
struct Operator {
    world: Arc<World>,
    fleet: ClassifierFleet,
    memory: Memory,
    snapshot: Option<Snapshot>,
    tokens: u64,
}

impl Operator {
    async fn run(mut self) {
        loop {
            let pause = self.reconcile();
            // The gateway's Lease wakes the operator.
            let _ = tokio::time::timeout(pause, self.world.gateway.woken.notified()).await;
        }
    }

    /// Observe, plan, act, report; and how long to wait for the next time.
    fn reconcile(&mut self) -> Duration {
        let now = self.world.clock.now();
        self.list(now);
        let settings = self.fleet.settings(REVISION);
        let observation = self.observe(&settings, now);
        let plan = decide(&settings, &observation.observed, now);
        let go_on = self.act(&observation, &plan, now);
        *lock(&self.world.desired) = plan.desired;
        let pause = self.remember(&settings, &observation, &plan, now);
        self.report(&observation, &plan);
        if go_on { Duration::ZERO } else { pause }
    }

    fn list(&mut self, now: Timestamp) {
        if self.snapshot.as_ref().is_some_and(|snapshot| now.duration_since(snapshot.at) < LISTED_EVERY) {
            return;
        }
        let listed = self.world.ec2.with(|endpoint| endpoint.cloud.instances().map(listed).collect());
        self.snapshot = Some(Snapshot { at: now, by_fleet: HashMap::from([(UID.to_owned(), listed)]) });
    }

    fn observe(&self, settings: &plan::Fleet, now: Timestamp) -> Observation {
        let (counts, said) = (self.world.requests.counts(), self.world.gateway.says());
        let depth = QueueDepth { visible: counts.visible, in_flight: counts.in_flight, delayed: counts.delayed };
        self.memory.with(UID, |remembered| remembered.sampled(now, &Ok(depth)));
        let sources = Sources {
            snapshot: self.snapshot.as_ref(),
            sample: Some(Ok((depth, now))),
            waiting: Waiting { images: said.waiting, oldest: said.oldest },
            template: None,
            prices: &Prices::default(),
            region: "",
        };
        observation(&self.fleet, settings, &self.memory, UID, sources, now)
    }

    fn remember(&self, settings: &plan::Fleet, observation: &Observation, plan: &Plan, now: Timestamp) -> Duration {
        let busy = is_busy(settings, plan);
        self.memory.with(UID, |remembered| {
            if let Some(workers) = plan.recommendation {
                remembered.recommend(now, workers, settings.scale_down.window.max(settings.scale_up.window));
            }
            remembered.changed(now, i64::from(plan.desired) - i64::from(observation.observed.desired));
            remembered.quiet_since = if busy { None } else { remembered.quiet_since.or(Some(now)) };
            pause(remembered.quiet_since, SAMPLE_INTERVAL, IDLE_SAMPLE_INTERVAL, now)
        })
    }

    /// What the next decision reads of the status.
    fn report(&mut self, observation: &Observation, plan: &Plan) {
        let rollout = observation.observed.rollout;
        let status = self.fleet.status.get_or_insert_default();
        status.desired = i32::try_from(plan.desired).unwrap_or(i32::MAX);
        status.workers.ready = i32::try_from(plan.census.ready).unwrap_or(i32::MAX);
        status.boot_seconds = observation.boot_seconds;
        status.jobs_per_second_per_worker = observation.jobs_per_second;
        status.rollout =
            Some(RolloutStatus { revision: REVISION.to_owned(), proven: rollout.proven, never_ready: 0, ..RolloutStatus::default() });
    }
}

/// As the SDK would tell it.
fn listed(instance: &Instance) -> ec2::Instance {
    ec2::Instance {
        id: instance.id.clone(),
        state: match instance.phase {
            Phase::Pending => ec2::InstanceState::Pending,
            Phase::Running => ec2::InstanceState::Running,
            Phase::Stopping => ec2::InstanceState::Stopping,
            Phase::Stopped => ec2::InstanceState::Stopped,
            Phase::ShuttingDown => ec2::InstanceState::ShuttingDown,
            Phase::Terminated => ec2::InstanceState::Terminated,
        },
        // EC2 tells whole seconds.
        launched_at: Timestamp::from_second(instance.launched_at.as_second()).unwrap_or(instance.launched_at),
        instance_type: instance.instance_type().to_owned(),
        subnet_id: instance.spec.subnet_id.clone(),
        zone: Some(instance.zone.clone()),
        private_ip: Some(instance.private_ip.clone()),
        spot: instance.is_spot(),
        state_reason: instance.reason.as_ref().map(|reason| reason.code.to_owned()),
        tags: instance.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}
