//! The fleet under measurement: how many workers it may have, when it has none, and when the operator launches one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use crds::{ClassifierFleet, ClassifierFleetStatus};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::stack::Stack;
use crate::wait;

/// Its manifest, relative to the checkout.
pub(super) const MANIFEST: &str = "dev/xtask/src/commands/bench/fleet.yaml";
pub(super) const REQUEST_QUEUE: &str = "bench-requests";
pub(super) const OUTPUT_BUCKET: &str = "bench-out";
const NAME: &str = "bench";
/// Says in a gateway's Lease how many uploads wait.
pub(super) const WAITING: &str = "classifierfleet.dev/waiting";

/// Draining and ending a worker, or launching one. One that was launched for a backlog that was just gone stays for the minute that is
/// paid for.
const LIMIT: Duration = Duration::from_secs(150);

/// The fleet of [`MANIFEST`] in its stack.
pub(super) struct Fleet {
    api: Api<ClassifierFleet>,
    leases: Api<Lease>,
    http: reqwest::Client,
    cloudsim: String,
    log: PathBuf,
    instances: PathBuf,
}

/// What we read of a request in cloudsim's log.
#[derive(Debug, Deserialize)]
struct Request {
    at: Timestamp,
    action: String,
}

/// What we read of an instance in cloudsim's list.
#[derive(Debug, Deserialize)]
struct Instance {
    state: String,
}

impl Fleet {
    pub(super) async fn of(stack: &Stack) -> Result<Self> {
        let client = stack.kubernetes().client().await?;
        Ok(Self {
            api: Api::namespaced(client.clone(), "default"),
            leases: Api::namespaced(client, "default"),
            http: reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?,
            cloudsim: format!("{}/_cloudsim", stack.endpoints()?.ec2),
            log: stack.log("operator"),
            instances: stack.dir().join("state/cloudsim"),
        })
    }

    /// Lets the fleet have `min` to `max` workers.
    pub(super) async fn limit(&self, min: i32, max: i32) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"workers": {"min": min, "max": max}}}));
        self.api.patch(NAME, &PatchParams::default(), &patch).await.context("the fleet cannot be changed")?;
        Ok(())
    }

    /// Waits until the operator has taken the last change, wants no worker and has none, and the gateway waits for nothing.
    ///
    /// # Errors
    /// When that takes longer than two and a half minutes.
    pub(super) async fn until_idle(&self) -> Result<()> {
        wait::until("the fleet has no work and no worker", LIMIT, &self.log, async || self.is_idle().await.unwrap_or(false)).await
    }

    /// When the operator first asked EC2 for an instance since `begun`.
    ///
    /// # Errors
    /// When it did not within two and a half minutes.
    pub(super) async fn launch_since(&self, begun: Timestamp) -> Result<Timestamp> {
        let launched = async || self.first_launch(begun).await.unwrap_or(None).is_some();
        wait::until("the operator launches a worker for an upload", LIMIT, &self.log, launched).await?;
        self.first_launch(begun).await?.context("cloudsim has lost its log")
    }

    /// The end of what the newest worker wrote to its console: it is gone once the stack is.
    pub(super) fn console(&self) -> String {
        let folders = std::fs::read_dir(&self.instances).into_iter().flatten().flatten();
        let consoles = folders.map(|folder| folder.path().join("console.log")).filter(|console| console.is_file());
        let newest = consoles.max_by_key(|console| console.metadata().and_then(|file| file.modified()).ok());
        newest.map_or_else(|| "No worker has written anything".to_owned(), |console| wait::tail(&console))
    }

    async fn first_launch(&self, begun: Timestamp) -> Result<Option<Timestamp>> {
        let log: Vec<Request> = self.cloudsim("log").await?;
        // The log has whole milliseconds.
        let begun = begun.as_millisecond();
        Ok(log
            .into_iter()
            .find(|request| request.action == "RunInstances" && request.at.as_millisecond() >= begun)
            .map(|request| request.at))
    }

    async fn is_idle(&self) -> Result<bool> {
        let fleet = self.api.get(NAME).await?;
        let instances: Vec<Instance> = self.cloudsim("instances").await?;
        let ClassifierFleetStatus { observed_generation, workers, queue, desired, .. } = fleet.status.unwrap_or_default();
        let no_work = queue.is_some_and(|queue| queue.backlog == 0) && desired == 0;
        let no_worker = workers.total == 0 && instances.iter().all(|instance| instance.state == "terminated");
        Ok(observed_generation == fleet.metadata.generation && no_work && no_worker && self.nothing_waits().await?)
    }

    /// The gateway has told so: a second after its last answer. Until then the operator launches a worker if it may.
    async fn nothing_waits(&self) -> Result<bool> {
        let leases = self.leases.list(&ListParams::default()).await?;
        Ok(leases.iter().filter_map(|lease| lease.annotations().get(WAITING)).all(|images| images == "0"))
    }

    async fn cloudsim<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/{what}", self.cloudsim)).send().await?;
        answer.json().await.with_context(|| format!("cloudsim's {what} is not understood"))
    }
}
