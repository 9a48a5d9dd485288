//! What can be set, on the command line or in the environment. The operator writes the environment of its instances.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use service::logs::LogArgs;

use crate::model::engine::EngineArgs;
use crate::model::fetch::ModelUri;
use crate::monitor::Listen;

/// Classifies images: takes jobs from SQS, runs an ONNX model with tract, stores the results in S3 and announces them.
///
/// AWS_REGION, AWS_ENDPOINT_URL_* and the credentials are read as by every AWS SDK, the instance's metadata from
/// AWS_EC2_METADATA_SERVICE_ENDPOINT.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Settings {
    /// Namespace of the fleet that this worker belongs to; for logs.
    #[arg(long, env = "CLASSIFIERFLEET_NAMESPACE")]
    pub namespace: String,
    /// Name of the fleet; for logs.
    #[arg(long, env = "CLASSIFIERFLEET_FLEET")]
    pub fleet: String,
    /// Revision of the fleet that this worker was made from; named in every result.
    #[arg(long, env = "CLASSIFIERFLEET_REVISION")]
    pub revision: String,
    /// Name of the queue to take jobs from.
    #[arg(long, env = "CLASSIFIERFLEET_REQUEST_QUEUE")]
    pub request_queue: String,
    /// Bucket to write results to.
    #[arg(long, env = "CLASSIFIERFLEET_OUTPUT_BUCKET")]
    pub output_bucket: String,
    /// Folder of the model: s3://bucket/prefix or file:///folder.
    #[arg(long, env = "CLASSIFIERFLEET_MODEL_URI")]
    pub model_uri: ModelUri,
    /// Seconds that a received job is hidden from other workers; it is renewed while the job is worked on.
    #[arg(long, env = "CLASSIFIERFLEET_VISIBILITY_TIMEOUT_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(3..=43_200))]
    pub visibility_timeout_seconds: u32,
    /// Folder that keeps downloaded models between starts.
    #[arg(long, env = "CACHE_DIRECTORY", default_value = "./cache")]
    pub cache_dir: PathBuf,
    /// Images that are decoded and classified at a time; default: as many as there are cores.
    #[arg(long, env = "CLASSIFIERFLEET_PARALLELISM")]
    pub parallelism: Option<NonZeroUsize>,
    /// An image of more pixels than this is answered with an error instead of decoded.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_PIXELS", default_value_t = 100_000_000)]
    pub max_pixels: u64,
    /// An image object of more bytes than this is answered with an error instead of fetched.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_IMAGE_BYTES", default_value_t = 64 * 1024 * 1024)]
    pub max_image_bytes: u64,
    /// Bytes of images that may be held in memory before they are decoded; further ones wait in S3.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_BUFFERED_BYTES", default_value_t = 128 * 1024 * 1024)]
    pub max_buffered_bytes: u64,
    /// Seconds without a job after which the worker leaves on its own, unless the operator wants to keep it; 0: never.
    #[arg(long, env = "CLASSIFIERFLEET_IDLE_SHUTDOWN_SECONDS", default_value_t = 900)]
    pub idle_shutdown_seconds: u64,
    /// Address for /healthz, /readyz and /metrics, such as 127.0.0.1:9090, or instance:9090 for the private address that the instance
    /// has in its VPC; none when not given.
    #[arg(long, env = "CLASSIFIERFLEET_MONITOR_LISTEN")]
    pub monitor_listen: Option<Listen>,
    /// Classify the image on standard input, and nothing else: how a worker treats what may have ended others.
    #[arg(long, hide = true)]
    pub isolated: bool,
    /// What runs the model.
    #[command(flatten)]
    pub engine: EngineArgs,
    /// How to log.
    #[command(flatten)]
    pub logs: LogArgs,
}

impl Settings {
    /// Images that are decoded and classified at a time.
    #[must_use]
    pub fn parallelism(&self) -> NonZeroUsize {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.parallelism.unwrap_or_else(cores)
    }

    /// How long a received job is hidden from other workers.
    #[must_use]
    pub fn visibility_timeout(&self) -> Duration {
        Duration::from_secs(self.visibility_timeout_seconds.into())
    }
    /// How long there may be nothing to do before the worker leaves on its own; none: for ever.
    #[must_use]
    pub fn idle_shutdown(&self) -> Option<Duration> {
        (self.idle_shutdown_seconds > 0).then(|| Duration::from_secs(self.idle_shutdown_seconds))
    }
}
