//! One fleet, once: prepare, observe, plan, act, report.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crds::{ClassifierFleet, FINALIZER};
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};
use plan::{Counted, Fleet, Plan, QueueDepth, decide};
use serde_json::json;

use crate::act::{Outcome, act};
use crate::context::Operator;
use crate::observe::{observation, queue};
use crate::prepare::{Needs, gateway, prepare};
use crate::report;
use crate::revision::Revision;

/// What ended a reconcile before its end. Each is tried again, with growing pauses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The finalizer could not be set or removed.
    #[error("the finalizer cannot be written: {0}")]
    Finalizer(#[source] kube::Error),
    /// A launch could not be written down, so EC2 was not asked.
    #[error("the launch cannot be written down: {0}")]
    Intent(#[source] kube::Error),
    /// The status could not be written.
    #[error("the status cannot be written: {0}")]
    Status(#[source] kube::Error),
    /// Workers could not be told to drain, or not terminated.
    #[error("workers cannot be removed: {0}")]
    Remove(#[source] ec2::Error),
    /// The launch template of a deleted fleet is still there.
    #[error("the launch template cannot be deleted: {0}")]
    Template(#[source] ec2::Error),
    /// The object lacks what every object has.
    #[error("the fleet has no uid")]
    NoUid,
    /// It took too long.
    #[error("the reconcile took more than {0:?}")]
    Timeout(Duration),
}

impl Error {
    /// The stage, as the metric's label.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Finalizer(_) => "finalizer",
            Self::Intent(_) => "intent",
            Self::Status(_) => "status",
            Self::Remove(_) => "remove",
            Self::Template(_) => "template",
            Self::NoUid => "read",
            Self::Timeout(_) => "timeout",
        }
    }

    /// Somebody else wrote the fleet meanwhile: nothing is wrong, the plan was only made on old news.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Finalizer(error) | Self::Intent(error) | Self::Status(error) => {
                matches!(error, kube::Error::Api(status) if status.code == 409 || status.code == 404)
            }
            Self::Remove(_) | Self::Template(_) | Self::NoUid | Self::Timeout(_) => false,
        }
    }
}

/// A reconcile that has not ended by then is given up. Wherever it stops, the next one goes on.
const AT_MOST: Duration = Duration::from_secs(120);

/// Reconciles `fleet`, and says when to come back.
pub async fn reconcile(fleet: Arc<ClassifierFleet>, operator: Arc<Operator>) -> Result<Action, Error> {
    let timer = std::time::Instant::now();
    let result = tokio::time::timeout(AT_MOST, once(&fleet, &operator)).await.unwrap_or(Err(Error::Timeout(AT_MOST)));
    let outcome = if result.is_ok() { "ok" } else { "error" };
    operator.metrics.reconciles.with_label_values(&[outcome]).observe(timer.elapsed().as_secs_f64());
    result
}

async fn once(fleet: &ClassifierFleet, operator: &Operator) -> Result<Action, Error> {
    let uid = fleet.uid().ok_or(Error::NoUid)?;
    let fleet = operator.memory.with(&uid, |remembered| remembered.newest(fleet));
    let ours = fleet.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    match (ours, fleet.meta().deletion_timestamp.is_some()) {
        (false, true) => return Ok(Action::await_change()),
        (false, false) => return set_finalizer(operator, &fleet, &uid).await,
        (true, _) => {}
    }
    let now = Timestamp::now();
    let revision = Revision::of(&fleet, &operator.region, &gateway::endpoints());
    let needs = needs(operator, &fleet, &uid, &revision, now).await;
    let sample = sample(operator, &fleet, &uid, needs.as_ref()).await;
    let snapshot = operator.inventory.latest();
    let template = needs.as_ref().and_then(|needs| needs.template_version.as_ref().err());
    let observation = observation(&fleet, &uid, &operator.memory, snapshot.as_deref(), sample, template, now);
    let settings = settings(&fleet, &revision);
    let plan = decide(&settings, &observation.observed, now);
    let version = needs.as_ref().and_then(|needs| needs.template_version.clone().ok());
    let outcome = act(operator, fleet, &revision, version, &observation, &plan, now).await?;
    remember(operator, &uid, &settings, &plan, now);
    if plan.gone && outcome.intents.iter().all(|intent| !intent.instance_ids.is_empty()) {
        return release(operator, &outcome, &uid).await;
    }
    report::report(operator, &uid, outcome, &revision, needs.as_ref(), &observation, &plan, now).await?;
    operator.memory.with(&uid, |remembered| remembered.failures = 0);
    Ok(Action::requeue(operator.settings.sample_interval))
}

/// The finalizer comes before the first launch: a fleet that is deleted must first lose its instances.
async fn set_finalizer(operator: &Operator, fleet: &ClassifierFleet, uid: &str) -> Result<Action, Error> {
    let mut finalizers = fleet.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": fleet.resource_version()}});
    let written = operator.fleets(fleet).patch(&fleet.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
    let written = written.map_err(Error::Finalizer)?;
    operator.memory.with(uid, |remembered| remembered.written = Some(written));
    Ok(Action::requeue(Duration::ZERO))
}

/// What the fleet needs; a fleet that is being deleted needs nothing any more.
async fn needs(operator: &Operator, fleet: &ClassifierFleet, uid: &str, revision: &Revision, now: Timestamp) -> Option<Needs> {
    if fleet.meta().deletion_timestamp.is_some() {
        return None;
    }
    Some(prepare(operator, fleet, uid, revision, now).await)
}

async fn sample(
    operator: &Operator,
    fleet: &ClassifierFleet,
    uid: &str,
    needs: Option<&Needs>,
) -> Option<Result<(QueueDepth, Timestamp), String>> {
    let url = match &needs?.queues {
        Ok(url) => url,
        Err(fault) => return Some(Err(fault.message.clone())),
    };
    let sampled = queue::sample(&operator.sqs, url).await;
    if let Err(queue::Error::Missing(_)) = sampled {
        // Somebody deleted it: it is made again at once.
        operator.memory.with(uid, |remembered| remembered.needs = None);
    }
    if let Err(error) = &sampled {
        tracing::warn!(fleet = fleet.name_any(), namespace = fleet.namespace(), %error, "the queue cannot be sampled, the workers stay as they are");
    }
    Some(sampled.map(|depth| (depth, Timestamp::now())).map_err(|error| error.to_string()))
}

/// The settings that decisions depend on.
fn settings(fleet: &ClassifierFleet, revision: &Revision) -> Fleet {
    let (workers, scaling) = (&fleet.spec.workers, &fleet.spec.scaling);
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    let seconds = |value: i32| SignedDuration::from_secs(i64::from(value));
    Fleet {
        min: number(workers.min),
        max: number(workers.max),
        pinned: workers.replicas.map(number),
        messages_per_worker: NonZeroU32::new(number(scaling.target.messages_per_worker)).unwrap_or(NonZeroU32::MIN),
        counted: Counted { in_flight: scaling.count_in_flight, delayed: scaling.count_delayed },
        scale_down_window: seconds(scaling.behavior.scale_down.stabilization_window_seconds),
        boot_timeout: seconds(workers.boot_timeout_seconds),
        drain_timeout: seconds(workers.drain_timeout_seconds),
        revision: revision.name().to_owned(),
        deleting: fleet.meta().deletion_timestamp.is_some(),
    }
}

fn remember(operator: &Operator, uid: &str, settings: &Fleet, plan: &Plan, now: Timestamp) {
    let census = plan.census;
    if census.booting + census.coming + census.draining + census.leaving > 0 || settings.deleting {
        operator.inventory.hurry();
    }
    let never_ready = u32::try_from(plan.terminate.iter().filter(|ended| ended.reason == plan::Reason::BootTimeout).count()).unwrap_or(0);
    operator.memory.with(uid, |remembered| {
        if let Some(workers) = plan.recommendation {
            remembered.recommend(now, workers, settings.scale_down_window);
        }
        remembered.never_ready = if census.ready > 0 { 0 } else { remembered.never_ready + never_ready };
    });
}

/// Nothing of the fleet is left in EC2: its launch template goes, then the object.
async fn release(operator: &Operator, outcome: &Outcome, uid: &str) -> Result<Action, Error> {
    let fleet = &outcome.fleet;
    operator.ec2.delete_template(&crate::revision::template_name(fleet)).await.map_err(Error::Template)?;
    let finalizers: Vec<&String> = fleet.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": fleet.resource_version()}});
    let written = operator.fleets(fleet).patch(&fleet.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
    written.map_err(Error::Finalizer)?;
    tracing::info!(fleet = fleet.name_any(), namespace = fleet.namespace(), "the fleet is gone, and all its instances");
    operator.metrics.forget(fleet);
    operator.memory.forget(uid);
    Ok(Action::await_change())
}
