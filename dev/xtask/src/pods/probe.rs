//! The readiness probe of a container: an HTTP GET now and then.

use std::net::Ipv4Addr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerPort, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What is asked, how often, and how many answers count.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Check {
    pub(super) url: String,
    pub(super) delay: Duration,
    pub(super) period: Duration,
    timeout: Duration,
    failures: u32,
}

/// Why a probe cannot be done.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("only httpGet without TLS is understood here")]
    Kind,
    #[error("the container has no port called {0:?}")]
    Port(String),
}

impl Check {
    pub(super) fn new(probe: &Probe, ports: &[ContainerPort], address: Ipv4Addr) -> Result<Self, ProbeError> {
        let get = probe.http_get.as_ref().filter(|get| get.scheme.as_deref().unwrap_or("HTTP") == "HTTP").ok_or(ProbeError::Kind)?;
        let port = match &get.port {
            IntOrString::Int(port) => *port,
            IntOrString::String(name) => {
                let named = ports.iter().find(|port| port.name.as_ref() == Some(name));
                named.ok_or_else(|| ProbeError::Port(name.clone()))?.container_port
            }
        };
        let path = get.path.as_deref().unwrap_or("/");
        Ok(Self {
            url: format!("http://{address}:{port}/{}", path.trim_start_matches('/')),
            delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            failures: u32::try_from(probe.failure_threshold.unwrap_or(3)).unwrap_or(3),
        })
    }

    /// Asks once.
    pub(super) async fn passes(&self, http: &reqwest::Client) -> bool {
        matches!(http.get(&self.url).timeout(self.timeout).send().await, Ok(answer) if answer.status().as_u16() < 400)
    }

    /// Whether a container is ready after `failed` bad answers in a row, having been `ready` before.
    pub(super) fn stays_ready(&self, ready: bool, failed: u32) -> bool {
        failed == 0 || (ready && failed < self.failures)
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_good_answer_makes_ready_and_three_bad_ones_unready() {
        let probe = serde_json::json!({"httpGet": {"path": "readyz", "port": 9090}});
        let check = Check::new(&serde_json::from_value(probe).unwrap(), &[], Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(check.url, "http://127.0.0.1:9090/readyz");
        assert!(check.stays_ready(false, 0) && check.stays_ready(true, 2));
        assert!(!check.stays_ready(false, 1) && !check.stays_ready(true, 3));
    }

    #[test]
    fn other_probes_are_refused() {
        let probe = serde_json::json!({"tcpSocket": {"port": 9090}});
        assert_eq!(Check::new(&serde_json::from_value(probe).unwrap(), &[], Ipv4Addr::LOCALHOST), Err(ProbeError::Kind));
    }
}
