//! The operator as a process of this machine, as in production but for its endpoints.

use std::time::Duration;

use anyhow::Result;

use super::aws::Endpoints;
use super::kubernetes::Kubernetes;
use super::launch::{Launcher, Part};

/// Name of the operator that every stack has.
pub(super) const FIRST: &str = "operator";

/// Starts the operator called `name` and waits until it is ready.
pub(super) async fn start(launcher: &Launcher, kubernetes: &Kubernetes, endpoints: &Endpoints, name: &str) -> Result<()> {
    let monitor = format!("{name}-monitor");
    let command = || {
        let env = [
            ("KUBECONFIG".to_owned(), kubernetes.kubeconfig.display().to_string()),
            ("CLASSIFIERFLEET_MONITOR_LISTEN".to_owned(), format!("127.0.0.1:{}", launcher.ports.of(&monitor)?)),
            ("LOG_FORMAT".to_owned(), "text".to_owned()),
        ];
        let operator = launcher.program(name, "classifierfleet-operator")?.env(endpoints.env()).env(env);
        Ok(operator.url(format!("{}/metrics", launcher.url(&monitor)?)))
    };
    let ready = async || match launcher.url(&monitor) {
        Ok(url) => crate::wait::answers(&launcher.http, &format!("{url}/readyz")).await,
        Err(_) => false,
    };
    launcher.start(Part { name, ports: &[&monitor], limit: Duration::from_secs(60) }, command, ready).await?;
    launcher.progress.say("operator", format!("{name} ready, metrics at {}/metrics", launcher.url(&monitor)?));
    Ok(())
}
