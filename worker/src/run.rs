//! A worker's life: which instance is this, fetch and check the model, get ready, say so, work, leave.

use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::Timestamp;
use prometheus::Registry;
use service::calls::CallCounter;
use service::monitor::Readiness;
use service::traces::aws::CallSpans;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::drain::Watch;
use crate::instance::{Instance, InstanceError};
use crate::intent::IntentSource;
use crate::jobs::{Cpu, Identity, ImageLimits, Isolation, Pace, Publisher, Queue, QueueError, Workshop, serve, until_reached};
use crate::metrics::Metrics;
use crate::model::fetch::Fetcher;
use crate::model::{Folder, Model, ModelError, speed};
use crate::registration::{Ready, RegistrationError, follow, register, restarted};
use crate::restarts::Restarts;
use crate::settings::Settings;

/// Why a worker ends before it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Not on an instance.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The model does not serve.
    #[error("the model {uri} does not serve")]
    Model {
        /// Where it lies.
        uri: String,
        /// Why.
        source: ModelError,
    },
    /// The request queue cannot be found.
    #[error("there is no request queue to work on")]
    Queue(#[from] QueueError),
    /// The operator could not be told.
    #[error("the operator cannot be told of this worker")]
    Registration(#[from] RegistrationError),
    /// This program is not where it was.
    #[error("this program cannot be located, so that it could not classify an image in a process of its own")]
    Program(#[source] std::io::Error),
    /// Metrics could not be registered.
    #[error("the metrics cannot be made")]
    Metrics(#[from] prometheus::Error),
    /// A part of the worker panicked.
    #[error("a task of the worker died")]
    Died(#[from] JoinError),
}

/// The machine, and what all of a worker's life shares.
struct Machine {
    instance: Instance,
    ec2: ec2::Ec2,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    activity: Activity,
}

/// Lives until `drain` is cancelled, by a signal or by a [reason](crate::drain::Reason), and what has begun is finished.
///
/// # Errors
/// When the worker cannot get ready, or a part of it dies.
pub async fn run(settings: &Settings, registry: &Registry, readiness: &Readiness, drain: &CancellationToken) -> Result<(), RunError> {
    let restarts = Restarts::begin(&settings.cache_dir);
    let metrics = Metrics::new(registry)?;
    let Some(machine) = drain.run_until_cancelled(Machine::identify(&metrics)).await.transpose()? else { return Ok(()) };
    let Machine { instance, ec2, activity, .. } = &machine;
    tracing::info!(
        instance = instance.id(),
        namespace = settings.namespace,
        fleet = settings.fleet,
        revision = settings.revision,
        restarts = restarts.count(),
        "the worker starts"
    );
    let watch = Watch { instance, intent: IntentSource::new(instance, ec2), activity, idle_after: settings.idle_shutdown() };
    let life = async {
        let lived = live(settings, &machine, restarts.count(), metrics, readiness, drain).await;
        drain.cancel();
        lived
    };
    let ((), lived) = tokio::join!(watch.run(drain), life);
    if lived.is_ok() {
        restarts.end();
    }
    lived
}

impl Machine {
    async fn identify(metrics: &Metrics) -> Result<Self, InstanceError> {
        let instance = Instance::identify().await?;
        let aws = service::aws::config("classifierfleet-worker", &service::aws::Place::default()).await;
        let counter = CallCounter(metrics.aws_calls.clone());
        let s3 = aws_sdk_s3::config::Builder::from(&aws).interceptor(counter.clone()).interceptor(CallSpans).build();
        let sqs = aws_sdk_sqs::config::Builder::from(&aws).interceptor(counter).interceptor(CallSpans).build();
        Ok(Self {
            instance,
            ec2: ec2::Ec2::new(&aws),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::from_conf(sqs),
            activity: Activity::default(),
        })
    }
}

async fn live(
    settings: &Settings,
    machine: &Machine,
    restarts: u32,
    metrics: Metrics,
    readiness: &Readiness,
    drain: &CancellationToken,
) -> Result<(), RunError> {
    let ready = async {
        if restarts > 0 {
            restarted(&machine.ec2, machine.instance.id(), restarts).await?;
        }
        get_ready(settings, machine, metrics, readiness, drain).await
    };
    // A wish to leave counts while the model is still being fetched, too.
    if let Some((workshop, ready)) = drain.run_until_cancelled(ready).await.transpose()? {
        readiness.set(true);
        let pace = Arc::clone(&workshop.pace);
        tokio::select! {
            served = serve(Arc::new(workshop)) => served?,
            never = follow(&machine.ec2, machine.instance.id(), ready, &pace) => match never {},
        }
        readiness.set(false);
    }
    tracing::info!("the worker leaves");
    Ok(())
}

/// All that must hold before the first job is taken; at its end the operator knows. A machine that is started again does
/// all of it again: what its tag said of an earlier start is overwritten.
async fn get_ready(
    settings: &Settings,
    machine: &Machine,
    metrics: Metrics,
    readiness: &Readiness,
    drain: &CancellationToken,
) -> Result<(Workshop, Ready), RunError> {
    let Machine { instance, ec2, s3, sqs, activity } = machine;
    // However long it takes, it is no idleness: a worker must not leave before it could have had a job.
    let _busy = activity.begin();
    let queue = Queue::open(sqs.clone(), &settings.request_queue, settings.visibility_timeout()).await?;
    let (model, images_per_second) = model(settings, s3).await?;
    metrics.images_per_second.set(images_per_second);
    until_reached(s3, &settings.output_bucket).await;
    let ready = Ready::new(Timestamp::now(), images_per_second, &model);
    register(ec2, instance.id(), &ready).await?;
    tracing::info!(%model, images_per_second, parallelism = settings.parallelism(), queue = settings.request_queue, "ready");
    let workshop = Workshop {
        queue: Arc::new(queue),
        publisher: Publisher::new(s3.clone(), sqs.clone(), &settings.output_bucket),
        s3: s3.clone(),
        cpu: Cpu::new(Arc::new(model), settings.parallelism().get(), settings.max_pixels),
        isolation: Some(Isolation::of_this_program("--isolated").map_err(RunError::Program)?),
        identity: Identity { worker: instance.id().to_owned(), revision: settings.revision.clone() },
        limits: ImageLimits { max_bytes: settings.max_image_bytes, max_buffered_bytes: settings.max_buffered_bytes },
        pace: Arc::new(Pace::new(images_per_second, settings.parallelism())),
        drain: drain.clone(),
        activity: activity.clone(),
        readiness: readiness.clone(),
        metrics,
    };
    Ok((workshop, ready))
}

/// Loads the model and warms it up; also tells how many images it classifies a second.
async fn model(settings: &Settings, s3: &aws_sdk_s3::Client) -> Result<(Model, f64), RunError> {
    let (model, folder) = load(settings, s3.clone()).await?;
    let parallelism: NonZeroUsize = settings.parallelism();
    let warm = tokio::task::spawn_blocking(move || {
        let images_per_second = speed::measure(&model, &folder, parallelism)?;
        Ok((model, images_per_second))
    });
    warm.await?.map_err(|source| failed(settings, source))
}

/// Fetches the model and checks it.
///
/// # Errors
/// When it cannot be fetched, or does not serve.
pub(crate) async fn load(settings: &Settings, s3: aws_sdk_s3::Client) -> Result<(Model, Folder), RunError> {
    let fetcher = Fetcher::new(s3, settings.model_uri.clone(), &settings.cache_dir);
    let folder = Folder::fetch(&fetcher).await.map_err(|source| failed(settings, source))?;
    let engine = settings.engine.clone();
    let loaded = tokio::task::spawn_blocking(move || Ok((Model::new(&folder, &engine)?, folder)));
    loaded.await?.map_err(|source| failed(settings, source))
}

fn failed(settings: &Settings, source: ModelError) -> RunError {
    RunError::Model { uri: settings.model_uri.to_string(), source }
}
