//! EC2 of the stack: cloudsim, whose instances are processes of this machine.

use std::os::unix::fs::symlink;
use std::time::Duration;

use anyhow::Result;

use super::environment::CREDENTIALS;
use super::launch::{Launcher, Part};

/// The machine image of the example fleet: the worker and nothing else.
const IMAGE: &str = "ami-0123456789abcdef0";

/// How quick the stand-in for EC2 is, in seconds. Real instances need 20 to 60 s from launch to boot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CloudDelays {
    /// From launch to `running`.
    pub pending: f64,
    /// From `running` to the start of the user data.
    pub boot: f64,
    /// Time that a change takes to show in DescribeInstances.
    pub describe_lag: f64,
}

impl Default for CloudDelays {
    fn default() -> Self {
        Self { pending: 1.0, boot: 2.0, describe_lag: 0.5 }
    }
}

/// Starts cloudsim. Returns its endpoint.
pub(super) async fn start(launcher: &Launcher, delays: CloudDelays) -> Result<String> {
    let image = launcher.state("image")?;
    let worker = image.join("classifierfleet-worker");
    if !worker.exists() {
        symlink(launcher.paths.program("classifierfleet-worker")?, worker)?;
    }
    let state = launcher.state("cloudsim")?;
    let command = || {
        let url = launcher.url("cloudsim")?;
        let args = [
            format!("--listen=127.0.0.1:{}", launcher.ports.of("cloudsim")?),
            format!("--pending-delay={}", delays.pending),
            format!("--boot-delay={}", delays.boot),
            format!("--describe-lag={}", delays.describe_lag),
            format!("--state-dir={}", state.display()),
            format!("--image={IMAGE}={}", image.display()),
            format!("--region={}", CREDENTIALS[2].1),
        ];
        Ok(launcher.program("cloudsim", "cloudsim")?.args(args).url(url))
    };
    let ready = async || match launcher.url("cloudsim") {
        Ok(url) => launcher.http.get(url).send().await.is_ok(),
        Err(_) => false,
    };
    launcher.start(Part { name: "cloudsim", ports: &["cloudsim"], limit: Duration::from_secs(30) }, command, ready).await?;
    let url = launcher.url("cloudsim")?;
    launcher.progress.say("aws", format!("EC2 (cloudsim) ready at {url}"));
    Ok(url)
}
