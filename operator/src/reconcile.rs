//! One fleet, once: prepare, observe, plan, act, report.

use std::sync::Arc;
use std::time::Duration;

use crds::{ClassifierFleet, FINALIZER};
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::{Resource as _, ResourceExt as _};
use plan::{Fleet, Plan, QueueDepth, Waiting, check, decide};
use serde_json::json;
use service::traces::{TARGET, failed};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::act::{Outcome, act};
use crate::clouds::{Cloud, NoRegion};
use crate::context::Operator;
use crate::metrics::Labels;
use crate::observe::{Observation, Sample, Sources, dead_letters, observation, queue};
use crate::pace::{is_busy, pause};
use crate::prepare::{Fault, Needs, clean_up, gateway, image, prepare, renew};
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
    /// Queues or buckets that were to be deleted are still there.
    #[error("{0}")]
    CleanUp(String),
    /// There is no region.
    #[error(transparent)]
    Region(#[from] NoRegion),
    /// The watch is behind, and the API server does not say how the fleet is now.
    #[error("the fleet cannot be read: {0}")]
    Read(#[source] kube::Error),
    /// The object lacks what every object has.
    #[error("the fleet has no uid")]
    NoUid,
    /// It took too long.
    #[error("the reconcile took more than {0:?}")]
    Timeout(Duration),
}

impl Error {
    /// All stages.
    pub const STAGES: [&str; 9] = ["finalizer", "intent", "status", "remove", "template", "clean_up", "region", "read", "timeout"];

    /// The stage, as the metric's label.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Finalizer(_) => "finalizer",
            Self::Intent(_) => "intent",
            Self::Status(_) => "status",
            Self::Remove(_) => "remove",
            Self::Template(_) => "template",
            Self::CleanUp(_) => "clean_up",
            Self::Region(_) => "region",
            Self::Read(_) | Self::NoUid => "read",
            Self::Timeout(_) => "timeout",
        }
    }

    /// Somebody else wrote the fleet meanwhile: nothing is wrong, the plan was only made on old news.
    pub fn is_conflict(&self) -> bool {
        match self {
            Self::Finalizer(error) | Self::Intent(error) | Self::Status(error) => {
                matches!(error, kube::Error::Api(status) if status.code == 409 || status.code == 404)
            }
            Self::Remove(_) | Self::Template(_) | Self::CleanUp(_) | Self::Region(_) | Self::Read(_) | Self::NoUid | Self::Timeout(_) => {
                false
            }
        }
    }
}

/// A reconcile that has not ended by then is given up. Wherever it stops, the next one goes on. What it asks EC2 for must show in
/// EC2's lists before another operator may hold its intent for void: with [`plan::STALE_AFTER`] well below [`plan::INTENT_KEPT`].
const AT_MOST: Duration = Duration::from_secs(60);

/// Reconciles `fleet`, and says when to come back.
pub async fn reconcile(fleet: Arc<ClassifierFleet>, operator: Arc<Operator>) -> Result<Action, Error> {
    let timer = Instant::now();
    let (namespace, name) = (fleet.namespace(), fleet.name_any());
    let span = tracing::info_span!(target: TARGET, "reconcile", k8s.namespace.name = namespace, classifierfleet.fleet = name);
    let once = once(&fleet, &operator).instrument(span.clone());
    let result = tokio::time::timeout(AT_MOST, once).await.unwrap_or(Err(Error::Timeout(AT_MOST)));
    if let Err(error) = result.as_ref()
        && !error.is_conflict()
    {
        failed(&span, error.stage());
    }
    let outcome = if result.is_ok() { "ok" } else { "error" };
    operator.metrics.reconciles.with_label_values(&[outcome]).observe(timer.elapsed().as_secs_f64());
    result
}

async fn once(watched: &ClassifierFleet, operator: &Operator) -> Result<Action, Error> {
    let (begun, uid) = (Instant::now(), watched.uid().ok_or(Error::NoUid)?);
    let Some(fleet) = newest(operator, watched, &uid).await? else { return Ok(Action::await_change()) };
    let ours = fleet.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
    match (ours, fleet.meta().deletion_timestamp.is_some()) {
        (false, true) => return Ok(Action::await_change()),
        (false, false) => return set_finalizer(operator, &fleet, &uid).await,
        (true, _) => {}
    }
    let now = operator.clock.now();
    let cloud = operator.clouds.of(&fleet).await?;
    let (revision, image) = revision(operator, &cloud, &fleet, &uid, now).await;
    let needs = needs(operator, &cloud, &fleet, &uid, &revision, image, now).await;
    let waiting = operator.uploads.waiting(&fleet, now);
    let sample = sample(operator, &cloud, &fleet, &uid, needs.as_ref(), waiting).await;
    let snapshot = cloud.inventory.latest();
    let settings = fleet.settings(revision.name());
    let (template, prices, region) = (needs.as_ref().and_then(Needs::no_launch), &operator.prices, cloud.region.as_str());
    let sources = Sources { snapshot: snapshot.as_deref(), sample, waiting, template, prices, region };
    let observation = observation(&fleet, &settings, &operator.memory, &uid, sources, now);
    let plan = decide(&settings, &observation.observed, now);
    for broken in check(&settings, &observation.observed, &plan, now) {
        tracing::error!(fleet = fleet.name_any(), namespace = fleet.namespace(), %broken, "a plan breaks a promise: please report this");
    }
    let version = needs.as_ref().and_then(|needs| needs.template_version.clone().ok());
    let outcome = act(operator, &cloud, &uid, fleet, &revision, version, &observation, &plan, now).await?;
    let go_on = outcome.go_on;
    let pause = remember(operator, &cloud, &uid, &settings, &observation, &plan, now);
    if plan.gone && outcome.intents.iter().all(|intent| intent.answered) {
        return release(operator, &cloud, &outcome, &uid).await;
    }
    report::report(operator, &uid, outcome, &revision, needs.as_ref(), &observation, &plan, now).await?;
    operator.memory.with(&uid, |remembered| remembered.failures = 0);
    if go_on {
        return Ok(Action::requeue(Duration::ZERO));
    }
    renew(operator, &cloud, watched, &uid, &revision, now).await;
    if let Some(needs) = &needs {
        dead_letters::watch(operator, &cloud, watched, &uid, needs, now).await;
    }
    // From beginning to beginning, as far as that leaves time for others.
    Ok(Action::requeue(pause.saturating_sub(begun.elapsed()).max(pause / 2)))
}

/// The fleet as the watch shows it, or as our last write left it; none when it is gone, which the watch may not know yet. After a
/// conflict the watch is behind, for how long nobody knows: then the API server is asked.
async fn newest(operator: &Operator, watched: &ClassifierFleet, uid: &str) -> Result<Option<ClassifierFleet>, Error> {
    if operator.memory.is_gone(uid) {
        return Ok(None);
    }
    if operator.memory.with(uid, |remembered| std::mem::take(&mut remembered.conflict)) {
        let live = operator.api(watched).get_opt(&watched.name_any()).await.map_err(Error::Read)?;
        let Some(live) = live.filter(|live| live.metadata.uid.as_deref() == Some(uid)) else { return Ok(None) };
        operator.memory.with(uid, |remembered| remembered.wrote(live));
    }
    Ok(Some(operator.memory.with(uid, |remembered| remembered.newest(watched))))
}

/// What workers are made from. While the image is not known, workers stay what they are.
async fn revision(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, now: Timestamp) -> (Revision, Result<(), Fault>) {
    let image = match fleet.meta().deletion_timestamp {
        Some(_) => Ok(String::new()),
        None => image::image(operator, cloud, fleet, uid, now).await,
    };
    let known = image.as_deref().unwrap_or_default();
    let revision = Revision::of(fleet, known, &operator.cluster, &cloud.region, &gateway::endpoints(cloud));
    let earlier = fleet.status.as_ref().and_then(|status| status.revision.as_deref()).filter(|_| known.is_empty());
    let revision = match earlier {
        Some(earlier) => revision.named(earlier),
        None => revision,
    };
    (revision, image.map(drop))
}

/// The finalizer comes before the first launch: a fleet that is deleted must first lose its instances.
async fn set_finalizer(operator: &Operator, fleet: &ClassifierFleet, uid: &str) -> Result<Action, Error> {
    let mut finalizers = fleet.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": fleet.resource_version()}});
    let written = operator.api(fleet).patch(&fleet.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
    let written = written.map_err(Error::Finalizer)?;
    operator.memory.with(uid, |remembered| remembered.wrote(written));
    Ok(Action::requeue(Duration::ZERO))
}

/// What the fleet needs; a fleet that is being deleted needs nothing any more.
async fn needs(
    operator: &Operator,
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    uid: &str,
    revision: &Revision,
    image: Result<(), Fault>,
    now: Timestamp,
) -> Option<Needs> {
    if fleet.meta().deletion_timestamp.is_some() {
        return None;
    }
    let mut needs = prepare(operator, cloud, fleet, uid, revision, now).await;
    if let Err(fault) = image {
        needs.template_version = Err(fault);
    }
    Some(needs)
}

/// Nobody samples again a moment after a failure: to write it into the status brings the next reconcile at once, which would
/// find the next failure to write.
const NOT_AGAIN_WITHIN: SignedDuration = SignedDuration::from_secs(1);

/// Images that gateways tell of do not wait longer for SQS to count messages.
const PATIENCE: Duration = Duration::from_millis(250);

async fn sample(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, needs: Option<&Needs>, waiting: Waiting) -> Sample {
    let queue = &needs?.queues;
    let interval = SignedDuration::try_from(operator.settings.sample_interval).unwrap_or(NOT_AGAIN_WITHIN).min(NOT_AGAIN_WITHIN);
    if let Some(message) = operator.memory.with(uid, |remembered| remembered.just_failed(operator.clock.now(), interval)) {
        return Some(Err(message));
    }
    let sampled = match queue {
        Ok(url) => {
            let sampled = sample_queue(operator, cloud, fleet, uid, url, waiting);
            match impatiently(operator, uid, waiting, sampled).await {
                Ok(sampled) => sampled,
                Err(earlier) => return Some(Ok(earlier)),
            }
        }
        Err(fault) => Err(fault.message.clone()),
    };
    let at = operator.clock.now();
    operator.memory.with(uid, |remembered| remembered.sampled(at, &sampled));
    Some(sampled.map(|depth| (depth, at)))
}

/// A sample, or as an error the last one, if gateways tell of images and SQS does not answer soon. Only once in a row: an SQS that
/// hangs must be found out.
async fn impatiently<T>(
    operator: &Operator,
    uid: &str,
    waiting: Waiting,
    sampled: impl Future<Output = T>,
) -> Result<T, (QueueDepth, Timestamp)> {
    let earlier = operator.memory.with(uid, |remembered| remembered.depth_in_haste(operator.clock.now()));
    let Some(earlier) = earlier.filter(|_| waiting.images > 0) else { return Ok(sampled.await) };
    let sampled = tokio::time::timeout(PATIENCE, sampled).await;
    sampled.map_err(|_| {
        operator.memory.with(uid, |remembered| remembered.impatient = true);
        earlier
    })
}

async fn sample_queue(
    operator: &Operator,
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    uid: &str,
    url: &str,
    waiting: Waiting,
) -> Result<QueueDepth, String> {
    let status = fleet.status.as_ref();
    let idle = waiting.images == 0 && status.is_none_or(|status| status.workers.total == 0 && status.desired == 0);
    let sampled = queue::sample(&cloud.sqs, url, idle).await;
    if let Err(queue::Error::Missing(_)) = sampled {
        // Somebody deleted it: it is made again at once.
        operator.memory.with(uid, |remembered| remembered.needs = None);
    }
    sampled.map_err(|error| {
        tracing::warn!(fleet = fleet.name_any(), namespace = fleet.namespace(), %error, "the queue cannot be sampled");
        error.to_string()
    })
}

/// Remembers what the next reconcile needs, and says when it should be.
fn remember(
    operator: &Operator,
    cloud: &Cloud,
    uid: &str,
    settings: &Fleet,
    observation: &Observation,
    plan: &Plan,
    now: Timestamp,
) -> Duration {
    let census = plan.census;
    if census.booting + census.coming + census.draining + census.stopping + census.leaving > 0 || settings.deleting {
        cloud.inventory.hurry();
    }
    let busy = is_busy(settings, plan);
    operator.memory.with(uid, |remembered| {
        if let Some(workers) = plan.recommendation {
            remembered.recommend(now, workers, settings.scale_down.window.max(settings.scale_up.window));
        }
        remembered.changed(now, i64::from(plan.desired) - i64::from(observation.observed.desired));
        remembered.quiet_since = if busy { None } else { remembered.quiet_since.or(Some(now)) };
        pause(remembered.quiet_since, operator.settings.sample_interval, operator.settings.idle_sample_interval, now)
    })
}

/// Nothing of the fleet is left in EC2: its launch template goes, then the object.
async fn release(operator: &Operator, cloud: &Cloud, outcome: &Outcome, uid: &str) -> Result<Action, Error> {
    let fleet = &outcome.fleet;
    clean_up(operator, cloud, fleet).await.map_err(|fault| Error::CleanUp(fault.message))?;
    cloud.ec2.delete_template(&crate::revision::template_name(fleet)).await.map_err(Error::Template)?;
    let finalizers: Vec<&String> = fleet.finalizers().iter().filter(|finalizer| *finalizer != FINALIZER).collect();
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": fleet.resource_version()}});
    let written = operator.api(fleet).patch(&fleet.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await;
    written.map_err(Error::Finalizer)?;
    tracing::info!(fleet = fleet.name_any(), namespace = fleet.namespace(), "the fleet is gone, and all its instances");
    operator.metrics.forget(&Labels::of(fleet));
    operator.memory.let_go(uid, operator.clock.now());
    Ok(Action::await_change())
}
