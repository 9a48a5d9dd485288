//! How many workers there are, as the fleet's status tells, and whether EC2 agrees.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use crds::{ClassifierFleet, ClassifierFleetStatus};
use kube::Api;
use serde::Deserialize;

use crate::progress::Progress;
use crate::stack::Stack;
use crate::wait::tail;

const NAME: &str = "imagenet";
const PAUSE: Duration = Duration::from_millis(300);

/// Watches the workers of the example fleet and tells what changes.
pub(super) struct Workers<'a> {
    stack: &'a Stack,
    progress: Progress,
    fleets: Api<ClassifierFleet>,
    http: reqwest::Client,
    told: String,
    most: i32,
}

/// What we read of an instance in cloudsim's own list.
#[derive(Debug, Deserialize)]
struct Instance {
    state: String,
}

impl<'a> Workers<'a> {
    pub(super) async fn of(stack: &'a Stack, progress: Progress) -> Result<Self> {
        let fleets = Api::namespaced(stack.kubernetes().client().await?, "default");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        Ok(Self { stack, progress, fleets, http, told: String::new(), most: 0 })
    }

    /// The most workers seen at one time.
    pub(super) fn most(&self) -> i32 {
        self.most
    }

    /// # Errors
    /// When there are workers.
    pub(super) async fn are_none(&self) -> Result<()> {
        let (status, instances) = (self.status().await?, self.instances().await?);
        ensure!(
            status.workers.total == 0 && instances == 0,
            "the fleet has {} workers, EC2 has {instances} instances",
            status.workers.total
        );
        Ok(())
    }

    /// Looks once, after a short pause, and tells what has changed.
    pub(super) async fn look(&mut self, answered: usize, wanted: usize) -> Result<()> {
        tokio::time::sleep(PAUSE).await;
        let status = self.status().await?;
        let workers = &status.workers;
        self.most = self.most.max(workers.total);
        let text = format!(
            "{answered} of {wanted} answered; workers: {} wanted, {} starting, {} ready, {} draining",
            status.desired, workers.starting, workers.ready, workers.draining
        );
        if text != self.told {
            self.progress.say("demo", &text);
            self.told = text;
        }
        Ok(())
    }

    /// Waits until the fleet has no worker and EC2 no instance.
    ///
    /// # Errors
    /// When that takes longer than `limit`.
    pub(super) async fn until_none(&mut self, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            tokio::time::sleep(PAUSE).await;
            let (status, instances) = (self.status().await?, self.instances().await?);
            let workers = &status.workers;
            let text = format!(
                "workers: {} wanted, {} left, {} of them draining; EC2: {instances} live",
                status.desired, workers.total, workers.draining
            );
            if text != self.told {
                self.progress.say("demo", &text);
                self.told = text;
            }
            if workers.total == 0 && instances == 0 {
                return Ok(());
            }
            if begun.elapsed() > limit {
                bail!("the workers did not go back to zero within {} s. {}", limit.as_secs(), tail(&self.stack.log("operator")));
            }
        }
    }

    async fn status(&self) -> Result<ClassifierFleetStatus> {
        Ok(self.fleets.get(NAME).await.context("the fleet cannot be read")?.status.unwrap_or_default())
    }

    /// Instances that EC2 has not terminated.
    async fn instances(&self) -> Result<usize> {
        let url = format!("{}/_cloudsim/instances", self.stack.endpoints()?.ec2);
        let instances: Vec<Instance> =
            self.http.get(url).send().await?.json().await.context("cloudsim's list of instances is not understood")?;
        Ok(instances.iter().filter(|instance| instance.state != "terminated").count())
    }
}
