//! What the operator would do: a situation made up from arguments, decided with the operator's own code.

mod text;
mod timeline;

pub use text::text;
pub use timeline::{Row, Timeline};

use crds::{ClassifierFleet, DecisionInputs};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use plan::{ASSUMED, Closed, Fleet, Instance, Inventory, Learned, Observed, Offering, QueueDepth, Recommendation, Rollout, State, Waiting};
use serde::Serialize;

use crate::args::Situation;

/// What new workers are made from; its hash is the operator's business.
const REVISION: &str = "current";
/// How long an offering is closed, as the operator does it.
const CLOSED_FOR: SignedDuration = SignedDuration::from_mins(3);

/// What the operator would do, and how it would go on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// The fleet.
    pub name: String,
    /// Workers wanted.
    pub desired: u32,
    /// How the number comes about, and what is done for it.
    pub steps: Vec<String>,
    /// The limit that binds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<String>,
    /// What it is decided from.
    pub inputs: DecisionInputs,
    /// Workers launched.
    pub launch: Vec<Launched>,
    /// Stopped workers started.
    pub start: usize,
    /// Workers told to finish and leave.
    pub drain: usize,
    /// Workers terminated.
    pub terminate: usize,
    /// Offerings where EC2 has no room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closed: Vec<String>,
    /// How it goes on; none while the queue's depth is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
}

/// Workers launched together.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Launched {
    /// Where and as what.
    pub offering: String,
    /// How many.
    pub count: u32,
}

/// A situation that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More are ready than there are.
    #[error("--ready {ready} is more than --workers {workers}: those that are ready are among the workers")]
    TooManyReady {
        /// Ready.
        ready: u32,
        /// All.
        workers: u32,
    },
    /// An offering that the fleet does not have.
    #[error("--closed {asked} fits none of the fleet's offerings; there are {offerings}")]
    NoOffering {
        /// What was asked.
        asked: String,
        /// What there is.
        offerings: String,
    },
}

/// What the operator would do about `fleet` in `situation` at `now`.
///
/// # Errors
/// [`Error`] when the situation cannot be.
pub fn forecast(fleet: &ClassifierFleet, situation: &Situation, now: Timestamp) -> Result<Forecast, Error> {
    let settings = fleet.settings(REVISION);
    let observed = observed(&settings, situation, now)?;
    let plan = plan::decide(&settings, &observed, now);
    let closed = observed.closed.iter().map(|closed| closed.offering.to_string()).collect();
    let timeline = observed.queue.is_some().then(|| Timeline::run(&settings, observed, now));
    Ok(Forecast {
        name: fleet.name_any(),
        desired: plan.desired,
        limited_by: plan.limited_by.map(|limit| limit.to_string()),
        inputs: DecisionInputs::of(&plan.inputs),
        launch: plan.launch.iter().map(|launch| Launched { offering: launch.offering.to_string(), count: launch.count }).collect(),
        start: plan.start.iter().map(|start| start.ids.len()).sum(),
        drain: plan.told_to_leave().count(),
        terminate: plan.terminate.len(),
        steps: plan.steps,
        closed,
        timeline,
    })
}

/// What the operator would see.
fn observed(fleet: &Fleet, situation: &Situation, now: Timestamp) -> Result<Observed, Error> {
    let Situation {
        backlog,
        workers,
        ready,
        stopped,
        before,
        in_flight,
        delayed,
        oldest_age,
        arrivals,
        rate,
        boot,
        boot_warm,
        failed_samples,
        closed,
    } = situation;
    let workers = workers.unwrap_or(0);
    let ready = ready.unwrap_or(workers);
    if ready > workers {
        return Err(Error::TooManyReady { ready, workers });
    }
    let before = before.unwrap_or(workers);
    let queue = QueueDepth { visible: backlog.unwrap_or(0), in_flight: in_flight.unwrap_or(0), delayed: delayed.unwrap_or(0) };
    let offering = fleet.offerings.iter().find(|offering| !offering.spot).or(fleet.offerings.first());
    let make = |number: u32, state: State| offering.map(|offering| instance(offering, number, state, number < ready, *rate, now));
    let instances = (0..workers).filter_map(|number| make(number, State::Running));
    let stopped = (workers..workers + stopped.unwrap_or(0)).filter_map(|number| make(number, State::Stopped));
    Ok(Observed {
        queue: failed_samples.is_none().then_some(queue),
        failed_samples: failed_samples.unwrap_or(0),
        waiting: Waiting { images: 0, oldest: oldest_age.map(|age| now - age) },
        arrivals_per_second: arrivals.unwrap_or(0.0),
        inventory: Some(Inventory { at: now, instances: instances.chain(stopped).collect() }),
        // As if that number had been wanted until now.
        history: vec![Recommendation { at: now, workers: before }],
        desired: before,
        closed: closed_offerings(fleet, closed, now)?,
        learned: Learned { boot_cold: *boot, boot_warm: *boot_warm, jobs_per_second: *rate },
        rollout: Rollout { proven: true, ..Rollout::default() },
        ..Observed::default()
    })
}

/// A worker of the current revision: ready for long, launched just now, or stopped just now.
fn instance(offering: &Offering, number: u32, state: State, ready: bool, rate: Option<f64>, now: Timestamp) -> Instance {
    let age = if ready || state == State::Stopped { SignedDuration::from_hours(1) } else { SignedDuration::ZERO };
    Instance {
        id: format!("worker-{number}"),
        state,
        launched_at: now - age,
        offering: offering.clone(),
        revision: REVISION.to_owned(),
        token: String::new(),
        ready: ready && state == State::Running,
        reusable: true,
        jobs_per_second: if ready { rate } else { None },
        warm: false,
        kept: false,
        draining_since: None,
        boots_since: now,
        stopped_since: now,
    }
}

fn closed_offerings(fleet: &Fleet, asked: &[String], now: Timestamp) -> Result<Vec<Closed>, Error> {
    let fits = |offering: &Offering, asked: &str| match asked {
        "spot" => offering.spot,
        "on-demand" => !offering.spot,
        other => offering.instance_type == other || offering.subnet_id.as_deref() == Some(other),
    };
    for one in asked {
        if !fleet.offerings.iter().any(|offering| fits(offering, one)) {
            let offerings: Vec<String> = fleet.offerings.iter().map(ToString::to_string).collect();
            return Err(Error::NoOffering { asked: one.clone(), offerings: offerings.join(", ") });
        }
    }
    let closed = fleet.offerings.iter().filter(|offering| asked.iter().any(|one| fits(offering, one)));
    Ok(closed.map(|offering| Closed { offering: offering.clone(), until: now + CLOSED_FOR, probe: 1 }).collect())
}

/// What is taken for a worker's rate and boot times where none is given.
fn rates(observed: &Observed) -> (f64, SignedDuration, SignedDuration) {
    let Learned { boot_cold, boot_warm, jobs_per_second } = observed.learned;
    let cold = boot_cold.unwrap_or(ASSUMED.boot_cold);
    (jobs_per_second.unwrap_or(ASSUMED.jobs_per_second), cold, boot_warm.unwrap_or(ASSUMED.boot_warm.min(cold)))
}
