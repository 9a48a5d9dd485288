//! The operator as a process of this machine, as in production but for its endpoints.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::aws::Endpoints;
use super::launch::{Launcher, Part};

/// Name of the operator that every stack has.
pub(super) const FIRST: &str = "operator";

/// One operator.
#[derive(Debug, Clone)]
pub struct OperatorOptions {
    /// Unique in its stack; begins with `operator`, so that it is ended before what it launches.
    pub name: String,
    /// How it reaches the API server.
    pub kubeconfig: PathBuf,
    /// How it and what it starts reach AWS.
    pub endpoints: Endpoints,
    /// Further arguments.
    pub args: Vec<String>,
    /// Further variables.
    pub env: Vec<(String, String)>,
}

/// Starts an operator and waits until it is ready.
pub(super) async fn start(launcher: &Launcher, options: &OperatorOptions) -> Result<()> {
    let OperatorOptions { name, kubeconfig, endpoints, args, env: further } = options;
    let monitor = format!("{name}-monitor");
    let command = || {
        let env = [
            ("KUBECONFIG".to_owned(), kubeconfig.display().to_string()),
            ("CLASSIFIERFLEET_MONITOR_LISTEN".to_owned(), launcher.listen(&monitor)?.to_string()),
            // Its pod's name: started again, it is the same operator, and need not wait for its own Lease to end.
            ("HOSTNAME".to_owned(), name.clone()),
            ("LOG_FORMAT".to_owned(), "text".to_owned()),
        ];
        let operator = launcher
            .program(name, "classifierfleet-operator")?
            .args(args.iter().cloned())
            .env(endpoints.env())
            .env(env)
            .env(further.iter().cloned());
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
