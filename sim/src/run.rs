//! One run: a world, a load and a policy, played until all images are answered and what was launched is gone. Judges nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::account::Bill;
use crate::arrivals::{Arrivals, play};
use crate::gateway::Answer;
use crate::lock;
use crate::policy::Policy;
use crate::world::{Settings, World};

/// A world and a load; how it is scaled is the policy's.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The world.
    pub settings: Settings,
    /// The load.
    pub arrivals: Arrivals,
    /// After the last answer, instances that still run are billed so long at most: some policies never leave.
    pub tail: Duration,
    /// After the last upload, it is waited so long for answers.
    pub patience: Duration,
}

impl Scenario {
    /// `arrivals` in a world as it is by default.
    #[must_use]
    pub fn new(arrivals: Arrivals) -> Self {
        Self { settings: Settings::default(), arrivals, tail: Duration::from_secs(1200), patience: Duration::from_secs(4 * 3600) }
    }
}

/// How it was at a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moment {
    /// Seconds since the start.
    pub second: f64,
    /// Uploads that wait for their answer.
    pub backlog: u64,
    /// Workers wanted.
    pub desired: u32,
    /// Workers that take jobs.
    pub ready: usize,
    /// Of them, those that have nothing to do.
    pub idle: usize,
    /// Instances that are billed.
    pub running: usize,
    /// Instance-seconds that were billed until now.
    pub billed_seconds: f64,
}

/// What happened in a run.
#[derive(Debug, Clone)]
pub struct Played {
    /// The policy.
    pub policy: String,
    /// Images uploaded, as offsets in seconds.
    pub offsets: Vec<f64>,
    /// What was answered.
    pub answers: Vec<Answer>,
    /// A moment for each second.
    pub moments: Vec<Moment>,
    /// What it cost.
    pub bill: Bill,
    /// Workers that were switched off from outside while they had jobs in work.
    pub ended_busy: u32,
    /// Of them, those whose work was lost.
    pub killed_busy: u32,
}

/// No run can be played here.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The runtime cannot be made.
    #[error("no virtual time can be had: {0}")]
    Runtime(#[from] std::io::Error),
    /// There is nothing to do.
    #[error("no image is uploaded: give a higher rate, or a longer time")]
    NoImages,
}

/// Plays `scenario` under `policy`. Takes no longer than it takes to compute, and must not be called inside another runtime.
///
/// # Errors
/// [`RunError`]
pub fn run(scenario: &Scenario, policy: &dyn Policy) -> Result<Played, RunError> {
    let offsets = scenario.arrivals.offsets(scenario.settings.seed);
    if offsets.is_empty() {
        return Err(RunError::NoImages);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    Ok(runtime.block_on(played(scenario, policy, offsets)))
}

async fn played(scenario: &Scenario, policy: &dyn Policy, offsets: Vec<f64>) -> Played {
    let mut settings = scenario.settings.clone();
    policy.adapt(&mut settings);
    let world = World::start(settings);
    tokio::spawn(policy.scale(world.clone()));
    tokio::spawn(play(world.clone(), offsets.clone()));
    let last = offsets.last().copied().unwrap_or_default();
    let moments = watch(&world, scenario, offsets.len(), last).await;
    let account = lock(&world.account);
    Played {
        policy: policy.name(),
        answers: world.gateway.answers(),
        bill: account.bill(world.clock.seconds()),
        ended_busy: account.ended_busy,
        killed_busy: account.killed_busy,
        moments,
        offsets,
    }
}

/// A moment each second, until the run is over.
async fn watch(world: &Arc<World>, scenario: &Scenario, images: usize, last: f64) -> Vec<Moment> {
    let (mut moments, mut answered_at) = (Vec::new(), None);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let moment = moment(world);
        let Moment { second, running, .. } = moment;
        moments.push(moment);
        // Of what was received too often, the uploader is told; it counts as never answered.
        let dead = world.requests.with(|queue, _| queue.dead());
        if world.gateway.count_answered() + dead >= images {
            let since = *answered_at.get_or_insert(second);
            if running == 0 || second - since >= scenario.tail.as_secs_f64() {
                return moments;
            }
        } else if second - last > scenario.patience.as_secs_f64() {
            return moments;
        }
    }
}

fn moment(world: &World) -> Moment {
    let (second, account) = (world.clock.seconds(), lock(&world.account));
    let (running, billed_seconds) = (account.running(), account.bill(second).billed_seconds);
    drop(account);
    let (backlog, desired) = (world.gateway.says().waiting, *lock(&world.desired));
    Moment { second, backlog, desired, ready: world.ready(), idle: world.idle(), running, billed_seconds }
}
