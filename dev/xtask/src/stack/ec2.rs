//! EC2 of the stack: cloudsim, whose instances are processes of this machine.

use std::os::unix::fs::symlink;
use std::time::Duration;

use anyhow::Result;

use super::environment::CREDENTIALS;
use super::launch::{Launcher, Part};

/// Machine images: the worker and nothing else. The first one is the example fleet's, the others are for roll-outs.
const IMAGES: [&str; 4] = ["ami-0123456789abcdef0", "ami-0123456789abcdef1", "ami-0123456789abcdef2", "ami-0123456789abcdef3"];

/// A machine image as others publish them: with nothing of ours.
const STOCK_IMAGE: &str = "ami-0123456789abcdef9";

/// Name of the EC2 that every stack has.
pub(super) const FIRST: &str = "cloudsim";

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

/// What runs in the instances.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Guests {
    /// Their user data, as processes of this machine.
    #[default]
    Processes,
    /// Nothing: cloudsim itself does what a worker without jobs would do. For thousands of them.
    Simulated {
        /// Seconds from the order to drain to the shutdown.
        drain: f64,
    },
}

impl Guests {
    fn args(self) -> Vec<String> {
        match self {
            Self::Processes => vec!["--guests=process".to_owned()],
            Self::Simulated { drain } => vec!["--guests=simulated".to_owned(), format!("--guest-drain-seconds={drain}")],
        }
    }
}

/// Starts the cloudsim called `name`. Returns its endpoint.
pub(super) async fn start(launcher: &Launcher, name: &str, delays: CloudDelays, guests: Guests) -> Result<String> {
    let image = launcher.state("image")?;
    let worker = image.join("classifierfleet-worker");
    if !worker.exists() {
        symlink(launcher.paths.program("classifierfleet-worker")?, worker)?;
    }
    let stock = launcher.state("stock-image")?;
    let state = launcher.state(name)?;
    let command = || {
        let url = launcher.url(name)?;
        let args = [
            format!("--listen={}", launcher.listen(name)?),
            format!("--pending-delay={}", delays.pending),
            format!("--boot-delay={}", delays.boot),
            format!("--describe-lag={}", delays.describe_lag),
            format!("--state-dir={}", state.display()),
            format!("--region={}", CREDENTIALS[2].1),
        ];
        let images = IMAGES.map(|id| format!("--image={id}={}", image.display()));
        let stock = format!("--image={STOCK_IMAGE}={}", stock.display());
        Ok(launcher.program(name, "cloudsim")?.args(args).args(images).args([stock]).args(guests.args()).url(url))
    };
    let ready = async || match launcher.url(name) {
        Ok(url) => launcher.http.get(url).send().await.is_ok(),
        Err(_) => false,
    };
    launcher.start(Part { name, ports: &[name], limit: Duration::from_secs(30) }, command, ready).await?;
    let url = launcher.url(name)?;
    launcher.progress.say("aws", format!("EC2 ({name}) ready at {url}"));
    Ok(url)
}
