//! A worker's life: which instance is this, fetch and check the model, get ready, say so, work, leave.

use std::num::NonZeroUsize;
use std::sync::Arc;

use aws_config::SdkConfig;
use jiff::Timestamp;
use prometheus::Registry;
use service::monitor::Readiness;
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::drain::Watch;
use crate::instance::{Instance, InstanceError};
use crate::intent::IntentSource;
use crate::jobs::{Identity, Limits, Publisher, Queue, QueueError, Workshop, serve};
use crate::metrics::Metrics;
use crate::model::fetch::Fetcher;
use crate::model::{Folder, Model, ModelError, speed};
use crate::registration::{Ready, RegistrationError, register};
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
    #[error("the worker cannot say that it is ready")]
    Registration(#[from] RegistrationError),
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
    aws: SdkConfig,
    ec2: ec2::Ec2,
    activity: Activity,
}

/// Lives until `drain` is cancelled, by a signal or by a [reason](crate::drain::Reason), and what has begun is finished.
///
/// # Errors
/// When the worker cannot get ready, or a part of it dies.
pub async fn run(settings: &Settings, registry: &Registry, readiness: &Readiness, drain: &CancellationToken) -> Result<(), RunError> {
    let Some(machine) = drain.run_until_cancelled(Machine::identify()).await.transpose()? else { return Ok(()) };
    let Machine { instance, ec2, activity, .. } = &machine;
    tracing::info!(
        instance = instance.id(),
        namespace = settings.namespace,
        fleet = settings.fleet,
        revision = settings.revision,
        "the worker starts"
    );
    let watch = Watch { instance, intent: IntentSource::new(instance, ec2), activity, idle_after: settings.idle_shutdown() };
    let life = async {
        let lived = live(settings, &machine, registry, readiness, drain).await;
        drain.cancel();
        lived
    };
    let ((), lived) = tokio::join!(watch.run(drain), life);
    lived
}

impl Machine {
    async fn identify() -> Result<Self, InstanceError> {
        let instance = Instance::identify().await?;
        let aws = service::aws::config("classifierfleet-worker", &service::aws::Place::default()).await;
        Ok(Self { instance, ec2: ec2::Ec2::new(&aws), aws, activity: Activity::default() })
    }
}

async fn live(
    settings: &Settings,
    machine: &Machine,
    registry: &Registry,
    readiness: &Readiness,
    drain: &CancellationToken,
) -> Result<(), RunError> {
    // A wish to leave counts while the model is still being fetched, too.
    if let Some(workshop) = drain.run_until_cancelled(get_ready(settings, machine, registry, drain)).await.transpose()? {
        readiness.set(true);
        serve(Arc::new(workshop), settings.parallelism()).await?;
        readiness.set(false);
    }
    tracing::info!("the worker leaves");
    Ok(())
}

/// All that must hold before the first job is taken; at its end the operator knows. A machine that is started again does
/// all of it again: what its tag said of an earlier start is overwritten.
async fn get_ready(settings: &Settings, machine: &Machine, registry: &Registry, drain: &CancellationToken) -> Result<Workshop, RunError> {
    let Machine { instance, aws, ec2, activity } = machine;
    // However long it takes, it is no idleness: a worker must not leave before it could have had a job.
    let _busy = activity.begin();
    let metrics = Metrics::new(registry)?;
    let sqs = aws_sdk_sqs::Client::new(aws);
    let queue = Queue::open(sqs.clone(), &settings.request_queue, settings.visibility_timeout()).await?;
    let (model, images_per_second) = model(settings, aws).await?;
    metrics.images_per_second.set(images_per_second);
    register(ec2, instance.id(), &Ready::new(Timestamp::now(), images_per_second, &model)).await?;
    tracing::info!(%model, images_per_second, parallelism = settings.parallelism(), queue = settings.request_queue, "ready");
    let s3 = aws_sdk_s3::Client::new(aws);
    Ok(Workshop {
        queue,
        publisher: Publisher::new(s3.clone(), sqs, &settings.output_bucket),
        s3,
        model: Arc::new(model),
        identity: Identity { worker: instance.id().to_owned(), revision: settings.revision.clone() },
        limits: Limits { max_pixels: settings.max_pixels, max_image_bytes: settings.max_image_bytes },
        cpu: Semaphore::new(settings.parallelism().get()),
        drain: drain.clone(),
        activity: activity.clone(),
        metrics,
    })
}

/// Fetches, checks and warms the model up; also tells how many images it classifies a second.
async fn model(settings: &Settings, aws: &SdkConfig) -> Result<(Model, f64), RunError> {
    let failed = |source| RunError::Model { uri: settings.model_uri.to_string(), source };
    let fetcher = Fetcher::new(aws_sdk_s3::Client::new(aws), settings.model_uri.clone(), &settings.cache_dir);
    let folder = Folder::fetch(&fetcher).await.map_err(failed)?;
    let parallelism: NonZeroUsize = settings.parallelism();
    let warm = tokio::task::spawn_blocking(move || {
        let model = Model::new(&folder)?;
        let images_per_second = speed::measure(&model, &folder, parallelism)?;
        Ok((model, images_per_second))
    });
    warm.await?.map_err(failed)
}
