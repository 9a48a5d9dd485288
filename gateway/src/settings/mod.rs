//! What can be set, as arguments or environment variables. The operator writes the environment of each replica.

mod transport;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

pub use self::transport::Transport;

/// Settings of one gateway replica. Region, endpoints and credentials are the AWS SDK's own (`AWS_REGION` …).
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where uploads are taken.
    #[arg(long, env = "CLASSIFIERFLEET_LISTEN", default_value = "0.0.0.0:8080", value_parser = service::address::listen)]
    pub listen: SocketAddr,
    /// How clients get there.
    #[command(flatten)]
    pub transport: Transport,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    #[arg(long, env = "CLASSIFIERFLEET_MONITOR_LISTEN", default_value = "0.0.0.0:9090", value_parser = service::address::listen)]
    pub monitor_listen: SocketAddr,
    /// Namespace of the ClassifierFleet, and of the Lease that wakes the operator.
    #[arg(long, env = "CLASSIFIERFLEET_NAMESPACE")]
    pub namespace: String,
    /// Name of the ClassifierFleet, for logs and metrics.
    #[arg(long, env = "CLASSIFIERFLEET_FLEET")]
    pub fleet: String,
    /// Name of the queue that jobs are sent to.
    #[arg(long, env = "CLASSIFIERFLEET_REQUEST_QUEUE")]
    pub request_queue: String,
    /// Name of the queue that results for this replica, and no other, come back on.
    #[arg(long, env = "CLASSIFIERFLEET_REPLY_QUEUE")]
    pub reply_queue: String,
    /// Bucket that images are written to.
    #[arg(long, env = "CLASSIFIERFLEET_INPUT_BUCKET")]
    pub input_bucket: String,
    /// Bucket that results are read from.
    #[arg(long, env = "CLASSIFIERFLEET_OUTPUT_BUCKET")]
    pub output_bucket: String,
    /// Body of a successful answer, unless the request accepts `application/json`.
    #[arg(long, env = "CLASSIFIERFLEET_RESPONSE_FORMAT", value_enum, default_value = "Label")]
    pub response_format: ResponseFormat,
    /// Largest image, in bytes.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_UPLOAD_BYTES", default_value_t = 10_485_760, value_parser = clap::value_parser!(u64).range(1..))]
    pub max_upload_bytes: u64,
    /// Images of at most so many bytes ride in the job's message as well as going to S3; 0: none.
    #[arg(long, env = "CLASSIFIERFLEET_INLINE_BYTES", default_value_t = 0)]
    pub inline_bytes: u32,
    /// Largest message that the request queue takes, in bytes (its `MaximumMessageSize`).
    #[arg(long, env = "CLASSIFIERFLEET_MAX_MESSAGE_BYTES", default_value_t = 262_144, value_parser = clap::value_parser!(u32).range(1024..=1_048_576))]
    pub max_message_bytes: u32,
    /// Most parts that one request may have: images, or fields of its form.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_FILES", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_files: u32,
    /// Most images that may wait for their result at once; further ones are told to come back (429).
    #[arg(long, env = "CLASSIFIERFLEET_MAX_PENDING", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_pending: u32,
    /// Most bytes of images held in memory on their way to S3; more than that go through the spool folder.
    #[arg(long, env = "CLASSIFIERFLEET_MAX_BUFFERED_BYTES", default_value_t = 4_194_304)]
    pub max_buffered_bytes: u64,
    /// Most clients that may listen to events at once; further ones are told to come back (503).
    #[arg(long, env = "CLASSIFIERFLEET_MAX_EVENT_STREAMS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_event_streams: u32,
    /// Folder for images on their way to S3 that memory has no room for; the system's own for temporary files if there is none.
    #[arg(long, env = "CLASSIFIERFLEET_SPOOL_DIR")]
    pub spool_dir: Option<PathBuf>,
    /// Most bytes in that folder (two of the largest images always fit); more than that waits, and is told to come back (429).
    #[arg(long, env = "CLASSIFIERFLEET_MAX_SPOOL_BYTES", default_value_t = 4_294_967_296)]
    pub max_spool_bytes: u64,
    /// How long an upload may take from its first byte to its answer, in seconds; then 504, and the result can be fetched later.
    #[arg(long, env = "CLASSIFIERFLEET_REQUEST_TIMEOUT_SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..))]
    pub request_timeout_seconds: u64,
    /// Answers that are kept for images of the same bytes: as many, the least used go first; 0: none.
    #[arg(long, env = "CLASSIFIERFLEET_CACHE_ENTRIES", default_value_t = 0)]
    pub cache_entries: u32,
    /// How long a kept answer holds, in seconds; it holds no longer than workers of its revision answer.
    #[arg(long, env = "CLASSIFIERFLEET_CACHE_TTL_SECONDS", default_value_t = 3600)]
    pub cache_ttl_seconds: u64,
    /// Whether images and labels are written under their file names as well as under their ids.
    #[arg(long, env = "CLASSIFIERFLEET_KEY_STYLE", value_enum, default_value = "Id")]
    pub key_style: KeyStyle,
    /// How long uploads may go on waiting for their results once the process was asked to stop, in seconds.
    #[arg(long, env = "CLASSIFIERFLEET_DRAIN_TIMEOUT_SECONDS", default_value_t = 20)]
    pub drain_timeout_seconds: u64,
    /// Name of the Lease by which the operator hears at once that images wait; without one it hears from the queue.
    #[arg(long, env = "CLASSIFIERFLEET_WAKE_LEASE")]
    pub wake_lease: Option<String>,
    /// JSON of the OwnerReference that the Lease gets, so that it goes with its fleet.
    #[arg(long, env = "CLASSIFIERFLEET_OWNER", value_parser = owner)]
    pub owner: Option<OwnerReference>,
    /// Name of this pod: holder of the Lease.
    #[arg(long, env = "HOSTNAME")]
    pub pod_name: Option<String>,
}

fn owner(json: &str) -> Result<OwnerReference, String> {
    let hint = r#"write {"apiVersion": …, "kind": …, "name": …, "uid": …}"#;
    let owner: OwnerReference = serde_json::from_str(json).map_err(|error| format!("it is no OwnerReference: {error}; {hint}"))?;
    // Absent fields read as empty ones, which the API server would refuse with every write.
    let complete = [&owner.api_version, &owner.kind, &owner.name, &owner.uid].iter().all(|field| !field.is_empty());
    if complete { Ok(owner) } else { Err(format!("it is no whole OwnerReference; {hint}")) }
}

impl Settings {
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_timeout_seconds)
    }

    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_secs(self.drain_timeout_seconds)
    }
}

/// Under which keys images and answers lie in their buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum KeyStyle {
    /// `<id>/<name>` and `<id>/<name>.json`.
    Id,
    /// As well `<name>` in the input bucket and `<name without extension>`, its body the label, in the output bucket.
    Name,
}

/// Body of a successful answer: one line for each image, in the order of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum ResponseFormat {
    /// `Paul`
    Label,
    /// `test_00:Paul`
    StemLabel,
    /// `(test_00.jpg,Paul)`
    Pair,
    /// `{"result":"Paul", …}`, an array of these for many images.
    Json,
}
