//! The operator's settings, from its command line and environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use service::logs::LogArgs;

/// Keeps ClassifierFleets: their queues and buckets, gateways and EC2 workers. The Kubernetes API comes from KUBECONFIG or
/// the pod's service account; region, endpoints and credentials of AWS from the environment, as for every AWS SDK.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Settings {
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, env = "CLASSIFIERFLEET_MONITOR_LISTEN", default_value = "0.0.0.0:8080", value_parser = service::address::listen)]
    pub monitor_listen: SocketAddr,
    /// Namespaces whose fleets are kept, comma-separated; none: all.
    #[arg(long, env = "CLASSIFIERFLEET_NAMESPACES", value_delimiter = ',')]
    pub namespaces: Vec<String>,
    /// AWS region of fleets that name none; default: AWS_REGION and the SDK's other sources.
    #[arg(long, env = "CLASSIFIERFLEET_REGION")]
    pub region: Option<String>,
    /// Name of this cluster in the tags of instances and queues, by which two clusters in one account tell theirs apart; default: the uid
    /// of its namespace kube-system, which needs leave to get that namespace.
    #[arg(long, env = "CLASSIFIERFLEET_CLUSTER")]
    pub cluster: Option<String>,
    /// Image of the gateway for fleets that name none.
    #[arg(long, env = "CLASSIFIERFLEET_GATEWAY_IMAGE", default_value = concat!("classifierfleet/gateway:", env!("CARGO_PKG_VERSION")))]
    pub gateway_image: String,
    /// Seconds between two looks at the queue of a fleet that has work or changes. One call to SQS each.
    #[arg(long = "sample-seconds", env = "CLASSIFIERFLEET_SAMPLE_SECONDS", default_value = "1", value_parser = seconds)]
    pub sample_interval: Duration,
    /// Seconds between two looks at the queue of a fleet that has been quiet for minutes. Uploads wake it at once.
    #[arg(long = "idle-sample-seconds", env = "CLASSIFIERFLEET_IDLE_SAMPLE_SECONDS", default_value = "15", value_parser = seconds)]
    pub idle_sample_interval: Duration,
    /// Seconds for which an offering that EC2 refused is left alone before it is probed.
    #[arg(long = "offering-closed-seconds", env = "CLASSIFIERFLEET_OFFERING_CLOSED_SECONDS", default_value = "180", value_parser = seconds)]
    pub offering_closed: Duration,
    /// Fleets reconciled at once, in each namespace that is named. Far more than can wait for EC2's pace at once (14 launches, 25
    /// other changes): one fleet's launch must not wait for others'.
    #[arg(long, env = "CLASSIFIERFLEET_CONCURRENCY", default_value_t = 64)]
    pub concurrency: u16,
    /// Of several operators only the one that holds a Lease works; the others wait. Safety does not depend on it, two may work at once: it saves calls.
    #[arg(long, env = "CLASSIFIERFLEET_LEADER_ELECT", default_value_t = true, action = ArgAction::Set)]
    pub leader_elect: bool,
    /// Namespace of that Lease; default: the one that the operator runs in, or that of its kubeconfig.
    #[arg(long, env = "POD_NAMESPACE")]
    pub lease_namespace: Option<String>,
    /// Name under which this operator holds the Lease: the pod's name. Started again under the same name it need not wait.
    #[arg(long, env = "HOSTNAME")]
    pub identity: Option<String>,
    /// What instances cost: a list in YAML or JSON of entries such as {instanceType: t3.small, usdPerHour: 0.0208}, with spot, region and
    /// zone where they matter; the first that fits counts. Without it, nothing is told of costs.
    #[arg(long, env = "CLASSIFIERFLEET_PRICE_FILE")]
    pub price_file: Option<PathBuf>,
    /// How to log.
    #[command(flatten)]
    pub logs: LogArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration < Duration::from_millis(100) { Err("at least 0.1 seconds".to_owned()) } else { Ok(duration) }
}
