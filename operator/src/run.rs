//! Starts the parts of an operator and waits for their end. Knows nothing of the process: its command line, signals, logs and
//! the port of its monitor.

use std::sync::Arc;

use anyhow::Context as _;
use prometheus::Registry;
use service::monitor::Readiness;
use tokio_util::sync::CancellationToken;

use crate::context::{Operator, Outside};
use crate::settings::Settings;
use crate::tasks::{Ended, Ends, Tasks};
use crate::{controller, leader, orphans};

/// An operator whose parts run.
pub struct Running {
    /// What its reconciles share.
    pub operator: Arc<Operator>,
    /// Tasks that may finish what they do once they are asked to stop.
    awaited: Vec<&'static str>,
}

impl Running {
    /// Starts all parts.
    ///
    /// # Errors
    /// When Kubernetes cannot be asked for what the operator must know first.
    pub async fn start(
        settings: Settings,
        outside: Outside,
        registry: &Registry,
        readiness: Readiness,
        tasks: &Tasks,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let (leading, election) = leader::election(&outside.kube, &settings).await?;
        let operator = Operator::start(settings, registry, outside, tasks, stop).await?;
        let mut awaited = vec!["controller"];
        if let Some(election) = election {
            tasks.spawn("election", election.run(stop.clone()));
            awaited.push("election");
        }
        tasks.spawn("orphans", orphans::run(operator.clone(), leading.clone(), stop.clone()));
        tasks.spawn("controller", controller::run(operator.clone(), leading, readiness, stop.clone()));
        Ok(Self { operator, awaited })
    }

    /// Each task runs until the process is asked to stop; one that ends before takes the process with it. Then those that are
    /// awaited may finish: reconciles under way, and giving the Lease back.
    ///
    /// # Errors
    /// When a task died, or ended unasked.
    pub async fn wait(mut self, mut ends: Ends, stop: &CancellationToken) -> anyhow::Result<()> {
        while let Some(Ended { name, result }) = ends.next().await {
            result.with_context(|| format!("the {name} task died"))?;
            anyhow::ensure!(stop.is_cancelled(), "the {name} task ended before it was asked to");
            self.awaited.retain(|task| *task != name);
            if self.awaited.is_empty() {
                break;
            }
        }
        Ok(())
    }
}
