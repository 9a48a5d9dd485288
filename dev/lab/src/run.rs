//! One run: a fleet works, is disturbed, comes to rest, is deleted, is disturbed again, and is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use cloudsim::state::{Capacity, Phase, TemplateQuery};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim::world::World;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::errors;
use crate::fleet;
use crate::judge::{Judge, Verdict};
use crate::kubernetes::Cluster;
use crate::operators::Operators;
use crate::script::{Fault, Kind, Script, Service};
use crate::weather::{Front, Weather};

/// A spot instance is told so long before its end.
const SPOT_NOTICE: SignedDuration = SignedDuration::from_mins(2);
/// Once faults stop, a fleet is as its spec says within this time. An offering is closed for 3 minutes, a refused launch is tried again
/// after up to 5, boots and drains take minutes, and the last images want their time.
const AT_REST_WITHIN: Duration = Duration::from_mins(20);
/// And stays so for this long at least.
const AT_REST_FOR: Duration = Duration::from_secs(60);
/// Once faults stop, a fleet that is deleted is gone within this time.
const GONE_WITHIN: Duration = Duration::from_mins(15);
/// Between two looks at the fleet.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Promises, calls, fingerprint.
    pub verdict: Verdict,
    /// How long it was, in virtual seconds.
    pub seconds: f64,
    /// Starts of instances.
    pub launches: usize,
    /// From the end of the faults to rest, in virtual seconds.
    pub rest_seconds: f64,
}

/// Runs `script`; a `verbose` run prints each call.
///
/// # Errors
/// When there can be no run.
pub fn run(script: &Script, verbose: bool) -> anyhow::Result<Report> {
    // The SDK and kube draw their jitter from this thread's numbers.
    fastrand::seed(script.seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let report = runtime.block_on(async { Stage::set(script.clone(), verbose)?.play().await });
    runtime.shutdown_background();
    report
}

/// All that takes part in a run.
struct Stage {
    script: Script,
    world: Arc<World>,
    cluster: Arc<Cluster>,
    weather: Arc<Weather>,
    judge: Arc<Judge>,
    operators: Arc<Operators>,
    verbose: bool,
}

impl Stage {
    fn set(script: Script, verbose: bool) -> anyhow::Result<Arc<Self>> {
        let world = World::start(fleet::world(&script));
        let cluster = Cluster::new(world.clock);
        let weather = Arc::new(Weather::new(script.seed));
        let judge = Judge::new(world.clone(), cluster.clone(), &script, verbose);
        let aws = Aws::new(world.clone(), fleet::REQUESTS);
        let samples = script.fleet.sample_seconds;
        let operators = Operators::new(cluster.clone(), aws, weather.clone(), judge.clone(), script.seed, samples)?;
        Ok(Arc::new(Self { script, world, cluster, weather, judge, operators, verbose }))
    }

    async fn play(self: Arc<Self>) -> anyhow::Result<Report> {
        let _heard = errors::heard_by(self.judge.clone(), self.verbose);
        fleet::apply(&self.cluster, &self.script.fleet)?;
        let operators = self.operators.clone();
        tokio::spawn(async move { operators.keep_one().await });
        tokio::spawn(self.clone().gateway());
        let uploads = tokio::spawn(self.clone().uploads());
        self.clone().suffer(&self.script.faults).await;
        uploads.await?;
        let calm = Instant::now();
        self.await_that("the fleet is as its spec says", AT_REST_WITHIN, AT_REST_FOR, Self::unrest).await;
        let rest_seconds = calm.elapsed().as_secs_f64();
        self.last_uploads().await;
        self.judge.note("the fleet is deleted");
        self.cluster
            .with(|store, now| store.delete(&fleet::key(), None, now))
            .map_err(|refusal| anyhow::anyhow!("the fleet is {refusal:?}"))?;
        self.clone().suffer(&self.script.faults_of_deletion).await;
        self.await_that("a deleted fleet is gone", GONE_WITHIN, LOOKS_EVERY, Self::leftovers).await;
        Ok(Report {
            verdict: self.judge.verdict(),
            seconds: self.world.clock.seconds(),
            launches: self.world.account.lock().unwrap_or_else(PoisonError::into_inner).bill(0.0).starts,
            rest_seconds,
        })
    }

    /// Images come, as the script has them.
    async fn uploads(self: Arc<Self>) {
        let (mut id, start) = (0, self.world.clock);
        let mut uploads = self.script.uploads.clone();
        uploads.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (at, count) in uploads {
            tokio::time::sleep(Duration::from_secs_f64((at - start.seconds()).max(0.0))).await;
            for _ in 0..count {
                let (world, job) = (self.world.clone(), id);
                tokio::spawn(async move { world.upload(job).await });
                id += 1;
            }
        }
        // Until the last one is in the queue.
        tokio::time::sleep(LOOKS_EVERY).await;
    }

    /// The fleet has work when it is deleted.
    async fn last_uploads(&self) {
        let (count, seconds) = self.script.last_uploads;
        for job in 0..count {
            self.world.upload(u64::from(job) + 1_000_000).await;
        }
        tokio::time::sleep(Duration::from_secs(u64::from(seconds))).await;
    }

    /// Tells the cluster what waits, and uploaders that their image was given up.
    async fn gateway(self: Arc<Self>) {
        loop {
            for letter in self.world.requests.with(|queue, _| queue.take_dead()) {
                self.judge.note(&format!("job {} is given up", letter.body));
                self.world.gateway.announce(letter.body.parse().unwrap_or_default());
            }
            fleet::renew_lease(&self.cluster, self.world.gateway.says());
            // Woken or not, it renews.
            let _ = tokio::time::timeout(LOOKS_EVERY, self.world.gateway.woken.notified()).await;
        }
    }

    /// Makes the faults happen, and returns when the last one is over.
    async fn suffer(self: Arc<Self>, faults: &[Fault]) {
        let begun = Instant::now();
        let over = faults.iter().map(|fault| fault.at + fault.kind.lasts()).fold(0.0, f64::max);
        for fault in faults {
            let (stage, fault) = (self.clone(), fault.clone());
            tokio::spawn(async move {
                tokio::time::sleep_until(begun + Duration::from_secs_f64(fault.at)).await;
                stage.judge.note(&format!("fault: {:?}", fault.kind));
                stage.strike(fault.kind).await;
            });
        }
        tokio::time::sleep_until(begun + Duration::from_secs_f64(over)).await;
        self.operators.spare();
        self.judge.note("no more faults");
    }

    async fn strike(&self, kind: Kind) {
        let lasting = |seconds: u32| Duration::from_secs(u64::from(seconds));
        match kind {
            Kind::IntermediateState { call, when, down } => self.operators.doom(call, when, lasting(down)),
            Kind::StaleState { seconds, behind } => self.weather.stale(behind, seconds),
            Kind::UnobservedState { seconds } => self.weather.blind(seconds),
            Kind::TwoOperators { seconds } => self.operators.second(lasting(seconds)).await,
            Kind::LostAnswers { service, seconds } => self.weather.front(service, Front::LostAnswers, seconds),
            Kind::Errors { service, seconds } => self.weather.front(service, Front::Errors, seconds),
            Kind::Silence { service, seconds } => self.weather.front(service, Front::Silence, seconds),
            Kind::Throttle { seconds } => self.weather.front(Service::Ec2, Front::Throttle, seconds),
            Kind::NoCapacity { seconds, room } => {
                self.capacity(Some(room));
                tokio::time::sleep(lasting(seconds)).await;
                self.capacity(None);
            }
            Kind::WorkerDeaths { count } => self.kill_workers(count as usize),
            Kind::SpotInterruptions => self.interrupt_spots(),
            Kind::Conflicts { writes } => self.weather.conflicts(writes),
            Kind::ClockJump { seconds, by } => self.weather.jump(by, seconds),
            Kind::Edit { max, volume } => fleet::edit(&self.cluster, max, volume),
        }
    }

    fn capacity(&self, room: Option<u32>) {
        let limits: BTreeMap<String, u32> = room.into_iter().flat_map(|room| fleet::TYPES.map(|name| (name.to_owned(), room))).collect();
        // The names are those of types.
        let capacity = Capacity::try_from(limits).unwrap_or_default();
        self.world.ec2.act(|cloud, _| (cloud.set_capacity(capacity), Vec::new()));
    }

    fn running(&self) -> Vec<String> {
        let ids = |endpoint: &mut cloudsim::Endpoint| {
            let running = endpoint.cloud.instances().filter(|instance| instance.phase == Phase::Running);
            running.map(|instance| instance.id.clone()).collect()
        };
        self.world.ec2.with(ids)
    }

    fn kill_workers(&self, count: usize) {
        let ids: Vec<String> = self.running().into_iter().take(count).collect();
        self.judge.note(&format!("die: {}", ids.join(" ")));
        self.world.ec2.act(|cloud, now| ((), cloud.terminate_instances(&ids, now).map(|(_, effects)| effects).unwrap_or_default()));
    }

    fn interrupt_spots(&self) {
        for id in self.running() {
            self.world.ec2.act(|cloud, now| {
                // On-demand instances are not interrupted.
                let _ = cloud.interrupt(&id, SPOT_NOTICE, now);
                ((), Vec::new())
            });
        }
    }

    /// Waits until nothing stands against `promise` for a while, and tells the judge what does if that takes too long.
    async fn await_that(&self, promise: &str, within: Duration, steadily: Duration, obstacle: fn(&Self) -> Option<String>) {
        let begun = Instant::now();
        let mut since = None;
        loop {
            let stands = obstacle(self);
            since = if stands.is_some() { None } else { since.or_else(|| Some(Instant::now())) };
            if since.is_some_and(|since| since.elapsed() >= steadily) {
                return;
            }
            if begun.elapsed() > within {
                let obstacle = stands.unwrap_or_else(|| "it does not stay so".to_owned());
                return self.judge.broken(&format!("once faults stop, {promise} within {} s: {obstacle}", within.as_secs()));
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// What is not yet as the spec says, once no images come.
    fn unrest(&self) -> Option<String> {
        let said = self.world.gateway.says();
        if said.waiting > 0 {
            return Some(format!("{} uploads wait", said.waiting));
        }
        let (wanted, room) = (self.script.fleet.min as usize, self.script.fleet.warm as usize);
        let counts = self.phases();
        let count = |phases: &[&str]| phases.iter().filter_map(|phase| counts.get(phase)).sum::<usize>();
        if count(&["pending", "running"]) != wanted || count(&["shutting-down", "stopping"]) > 0 || count(&["stopped"]) > room {
            return Some(format!("{wanted} are wanted, {room} stopped at most, and there are {counts:?}"));
        }
        let fleet = self.cluster.peek(|store, _| store.get(&fleet::key()).cloned()).unwrap_or_default();
        let (status, number) = (&fleet["status"], |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok()));
        if number(&status["desired"]) != Some(wanted) || number(&status["workers"]["ready"]) != Some(wanted) {
            return Some(format!("{wanted} are wanted, and the status says {} and {}", status["desired"], status["workers"]));
        }
        let open = status["launches"].as_array().is_some_and(|intents| intents.iter().any(|intent| intent["answered"] != true));
        let old = status["observedGeneration"] != fleet["metadata"]["generation"];
        (open || old).then(|| format!("the status is not final: {}", status["launches"]))
    }

    /// What is left of a fleet that is deleted.
    fn leftovers(&self) -> Option<String> {
        let left: BTreeMap<&str, usize> = self.phases().into_iter().filter(|(phase, _)| *phase != "terminated").collect();
        let fleet = self.cluster.peek(|store, _| store.get(&fleet::key()).is_some());
        let every = TemplateQuery::default();
        let templates = self.world.ec2.with(|endpoint| endpoint.cloud.describe_templates(&every).map_or(0, |page| page.items.len()));
        let something = fleet || templates > 0 || !left.is_empty();
        something.then(|| format!("the fleet is there: {fleet}; launch templates: {templates}; instances: {left:?}"))
    }

    fn phases(&self) -> BTreeMap<&'static str, usize> {
        self.world.ec2.with(|endpoint| {
            endpoint.cloud.instances().fold(BTreeMap::new(), |mut counts, instance| {
                *counts.entry(instance.phase.name()).or_insert(0) += 1;
                counts
            })
        })
    }
}
