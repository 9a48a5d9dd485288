//! The fleets: applied, woken as their gateways would, given messages. Owns what they ask for.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, ensure};
use crds::ClassifierFleet;
use futures::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::super::fleet::WAITING;
use crate::progress::Progress;
use crate::stack::Stack;

const NAMESPACE: &str = "default";
/// Who renews the Leases by which the operator is woken.
const GATEWAY: &str = "classifierfleet-gateway";
/// Gateways renew a Lease so often while images wait.
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// Fleets applied at once.
const AT_ONCE: usize = 8;
/// EC2 launches two fleets in a second; the machine has other work, too.
const READY_WITHIN: Duration = Duration::from_secs(1200);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// SQS takes so many messages in one call.
const BATCH: u32 = 10;

/// All fleets.
pub(super) struct Fleets {
    names: Vec<String>,
    /// Workers that each always has.
    workers: u32,
    fleets: Api<ClassifierFleet>,
    leases: Api<Lease>,
    sqs: String,
    http: reqwest::Client,
    known: OnceLock<Vec<Fleet>>,
}

/// A fleet that was applied.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    name: String,
    uid: String,
}

impl Fleet {
    /// Name of the launch template that its workers are launched from.
    pub(super) fn template(&self) -> String {
        format!("classifierfleet-{}", self.uid)
    }
}

impl Fleets {
    /// So many fleets that always have so many workers each.
    pub(super) async fn new(stack: &Stack, count: usize, workers: u32) -> Result<Self> {
        let kube = stack.kubernetes().client().await?;
        Ok(Self {
            names: (1..=count).map(|number| format!("fleet-{number:04}")).collect(),
            workers,
            fleets: Api::namespaced(kube.clone(), NAMESPACE),
            leases: Api::namespaced(kube, NAMESPACE),
            sqs: stack.endpoints()?.sqs.clone(),
            http: reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?,
            known: OnceLock::new(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Those that were applied.
    pub(super) fn all(&self) -> Result<&[Fleet]> {
        self.known.get().map(Vec::as_slice).context("the fleets are not applied yet")
    }

    /// Applies all.
    pub(super) async fn apply(&self) -> Result<()> {
        let apply = async |name: &String| {
            let fleet: ClassifierFleet = serde_json::from_value(manifest(name, self.workers))?;
            let uid = self.fleets.create(&PostParams::default(), &fleet).await?.uid().unwrap_or_default();
            anyhow::Ok(Fleet { name: name.clone(), uid })
        };
        let known: Vec<Fleet> = futures::stream::iter(&self.names).map(apply).buffered(AT_ONCE).try_collect().await?;
        self.known.set(known).ok().context("the fleets were applied before")
    }

    /// Returns when all workers of all fleets are ready, and all fleets with them.
    ///
    /// # Errors
    /// When that takes too long, with what the first one says that is not ready.
    pub(super) async fn until_ready(&self, progress: Progress) -> Result<()> {
        let mut deadline = Instant::now() + READY_WITHIN;
        let mut most = 0;
        loop {
            let fleets = self.fleets.list(&ListParams::default()).await?.items;
            let unready = fleets.iter().find(|fleet| !self.is_ready(fleet));
            let Some(unready) = unready else { return Ok(()) };
            let ready = fleets.iter().filter(|fleet| self.is_ready(fleet)).count();
            if ready > most {
                most = ready;
                deadline = Instant::now() + READY_WITHIN;
                progress.say("bench", format!("{ready} of {} fleets are ready", fleets.len()));
            }
            ensure!(Instant::now() < deadline, "{} is not ready: {}", unready.name_any(), serde_json::to_string(&unready.status)?);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_ready(&self, fleet: &ClassifierFleet) -> bool {
        let Some(status) = &fleet.status else { return false };
        status.workers.ready.unsigned_abs() == self.workers && status.workers.starting == 0
    }

    /// Says, as a gateway of the fleet does, that images wait, and when it was said.
    pub(super) async fn wake(&self, fleet: &Fleet) -> Result<Timestamp> {
        let (name, begun) = (format!("{}-gateway-0", fleet.name), Timestamp::now());
        let lease = lease(fleet, &name, 2 * self.workers, begun);
        self.leases.patch(&name, &PatchParams::apply(GATEWAY).force(), &Patch::Apply(lease)).await?;
        Ok(begun)
    }

    /// Goes on to say it, as gateways do while images wait, until that fails.
    pub(super) async fn keep_awake(&self, fleet: &Fleet) -> Error {
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            if let Err(error) = self.wake(fleet).await {
                return error;
            }
        }
    }

    /// Puts so many messages into the fleet's queue that it wants one worker more, and says when they were there.
    pub(super) async fn send(&self, fleet: &Fleet) -> Result<Timestamp> {
        let url = self.queue(fleet).await?;
        let mut left = 2 * self.workers;
        while left > 0 {
            let entries: Vec<Value> = (0..left.min(BATCH)).map(|id| json!({"Id": id.to_string(), "MessageBody": "{}"})).collect();
            left -= left.min(BATCH);
            self.sqs("SendMessageBatch", &json!({"QueueUrl": url, "Entries": entries})).await?;
        }
        Ok(Timestamp::now())
    }

    /// Empties the fleet's queue.
    pub(super) async fn purge(&self, fleet: &Fleet) -> Result<()> {
        let url = self.queue(fleet).await?;
        self.sqs("PurgeQueue", &json!({"QueueUrl": url})).await.map(drop)
    }

    async fn queue(&self, fleet: &Fleet) -> Result<Value> {
        Ok(self.sqs("GetQueueUrl", &json!({"QueueName": format!("{}-requests", fleet.name)})).await?["QueueUrl"].clone())
    }

    async fn sqs(&self, action: &str, what: &Value) -> Result<Value> {
        let call = self.http.post(&self.sqs).header("x-amz-target", format!("AmazonSQS.{action}"));
        let answer = call.header("content-type", "application/x-amz-json-1.0").body(what.to_string()).send().await?;
        let answer = answer.error_for_status().with_context(|| format!("SQS refuses {action}"))?.text().await?;
        if answer.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&answer)?) }
    }
}

/// One more than the workers that it always has, however much waits: a launch of one. No gateway: nobody uploads.
fn manifest(name: &str, workers: u32) -> Value {
    json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": name},
        "spec": {
            "queues": {"request": {"name": format!("{name}-requests")}, "response": {"name": format!("{name}-responses")}},
            "storage": {"inputBucket": format!("{name}-in"), "outputBucket": format!("{name}-out")},
            "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
            "workers": {
                "min": workers,
                "max": workers + 1,
                "template": {"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"], "instanceProfile": "classifierfleet-worker"},
            },
            "scaling": {"target": {"messagesPerWorker": 1}},
            "gateway": {"replicas": 0},
        },
    })
}

fn lease(fleet: &Fleet, name: &str, waiting: u32, at: Timestamp) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": GATEWAY, "classifierfleet.dev/fleet": fleet.name},
            "annotations": {WAITING: waiting.to_string(), "classifierfleet.dev/oldest": at.to_string()},
        },
        "spec": {"leaseDurationSeconds": 15, "renewTime": at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_a_fleet_that_always_has_its_workers() {
        let fleet: ClassifierFleet = serde_json::from_value(manifest("fleet-0001", 10)).unwrap();
        let workers = &fleet.spec.workers;
        assert_eq!((workers.min, workers.max, fleet.spec.gateway.replicas), (10, 11, 0));
    }
}
