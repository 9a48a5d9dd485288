//! The operator's settings, from its command line and environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use service::logs::LogArgs;

/// Keeps ClassifierFleets: their queues and buckets, gateways and EC2 workers. The Kubernetes API comes from KUBECONFIG or
/// the pod's service account; region, endpoints and credentials of AWS from the environment, as for every AWS SDK.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub struct Settings {
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, env = "CLASSIFIERFLEET_MONITOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub monitor_listen: SocketAddr,
    /// Image of the gateway for fleets that name none.
    #[arg(long, env = "CLASSIFIERFLEET_GATEWAY_IMAGE", default_value = concat!("classifierfleet/gateway:", env!("CARGO_PKG_VERSION")))]
    pub gateway_image: String,
    /// Seconds between two looks at a fleet's queue. One call to SQS each.
    #[arg(long = "sample-seconds", env = "CLASSIFIERFLEET_SAMPLE_SECONDS", default_value = "1", value_parser = seconds)]
    pub sample_interval: Duration,
    /// Fleets reconciled at once.
    #[arg(long, env = "CLASSIFIERFLEET_CONCURRENCY", default_value_t = 16)]
    pub concurrency: u16,
    /// How to log.
    #[command(flatten)]
    pub logs: LogArgs,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number of seconds"))?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration < Duration::from_millis(100) { Err("at least 0.1 seconds".to_owned()) } else { Ok(duration) }
}
