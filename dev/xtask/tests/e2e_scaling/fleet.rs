//! One fleet of a story: how it is made and changed, and what can be asked of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crds::{ClassifierFleet, QueueInputs};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::sqs::Queue;
use super::stage::{FAILING, POLLED, Stage, UNPOLLED};

/// One fleet.
pub struct Fleet<'a> {
    pub stage: &'a Stage,
    pub namespace: &'static str,
    pub name: &'static str,
    /// Its request queue, which is there before the fleet, so that the operator's first sample finds all that is in it.
    pub queue: Queue,
}

/// A worker for each message, and no damping: what is in the queue is the number wanted.
pub fn at_once() -> Value {
    json!({"target": {"messagesPerWorker": 1}, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}})
}

impl Stage {
    /// A fleet to come whose queue is polled.
    pub async fn fleet(&self, name: &'static str) -> Fleet<'_> {
        self.fleet_in(POLLED, name).await
    }

    /// A fleet to come whose samples can fail.
    pub async fn failing_fleet(&self, name: &'static str) -> Fleet<'_> {
        self.fleet_in(FAILING, name).await
    }

    /// A fleet to come whose queue is not polled.
    pub async fn unpolled_fleet(&self, name: &'static str) -> Fleet<'_> {
        self.fleet_in(UNPOLLED, name).await
    }

    async fn fleet_in(&self, namespace: &'static str, name: &'static str) -> Fleet<'_> {
        let queue = Queue::of(&self.sqs, &format!("{name}-requests")).await;
        Fleet { stage: self, namespace, name, queue }
    }
}

impl Fleet<'_> {
    /// Makes the fleet. `workers` must hold `max`.
    pub async fn apply(&self, mut workers: Value, scaling: Value) {
        let name = self.name;
        workers["template"] = json!({"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"]});
        let fleet = json!({
            "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "queues": {"request": {"name": format!("{name}-requests")}, "response": {"name": format!("{name}-responses")}},
                "storage": {"inputBucket": format!("{name}-in"), "outputBucket": format!("{name}-out")},
                "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
                "workers": workers,
                "scaling": scaling,
                "gateway": {"replicas": 0},
            },
        });
        let fleet = serde_json::from_value(fleet).unwrap();
        self.api().create(&PostParams::default(), &fleet).await.unwrap();
    }

    /// Access to it.
    pub fn api(&self) -> Api<ClassifierFleet> {
        Api::namespaced(self.stage.kube.clone(), self.namespace)
    }

    /// Changes its spec.
    pub async fn patch(&self, spec: Value) {
        self.merge(json!({ "spec": spec })).await;
    }

    /// Sets an annotation, or removes it.
    pub async fn annotate(&self, key: &str, value: Option<&str>) {
        self.merge(json!({"metadata": {"annotations": {key: value}}})).await;
    }

    async fn merge(&self, patch: Value) {
        self.api().patch(self.name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Waits until it is so.
    pub async fn until(&self, what: &str, is: impl Fn(&ClassifierFleet) -> bool) -> Arc<ClassifierFleet> {
        self.stage.history.until(self.namespace, self.name, what, is).await
    }

    /// Waits until it was so once, for a moment only perhaps, and returns it as it was the first time.
    pub async fn once(&self, what: &str, was: impl Fn(&ClassifierFleet) -> bool) -> Arc<ClassifierFleet> {
        self.stage.history.once(self.namespace, self.name, what, was).await
    }

    /// Waits until so many workers are wanted, by the spec as it is.
    pub async fn wants(&self, workers: i32) -> Arc<ClassifierFleet> {
        self.until(&format!("it wants {workers}"), |fleet| is_current(fleet) && desired(fleet) == workers).await
    }

    /// Waits for a decision about so many visible messages, none of them in flight, by the spec as it is.
    pub async fn has_decided_on(&self, visible: i64) -> Arc<ClassifierFleet> {
        let sees = |fleet: &ClassifierFleet| queue(fleet).is_some_and(|queue| queue.visible == visible && queue.in_flight == 0);
        self.until(&format!("it decided on {visible} messages"), |fleet| is_current(fleet) && sees(fleet)).await
    }

    /// The numbers that it wanted, one after another, from the first worker on.
    pub fn wanted(&self) -> Vec<i32> {
        let seen = self.stage.history.of(self.namespace, self.name);
        let mut wanted: Vec<i32> = seen.iter().map(|seen| desired(&seen.fleet)).skip_while(|workers| *workers == 0).collect();
        wanted.dedup();
        wanted
    }

    /// Each status that it ever had.
    pub fn ever(&self, was: impl Fn(&ClassifierFleet) -> bool) -> bool {
        self.stage.history.of(self.namespace, self.name).iter().any(|seen| was(&seen.fleet))
    }

    /// Instances that EC2 ever launched for it, with their states, as EC2's own state has them.
    pub async fn instances(&self) -> Vec<String> {
        let url = format!("{}/_cloudsim/instances", self.stage.stack.endpoints().unwrap().ec2);
        let all: Vec<Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
        let ours = |tags: &Value| tags["classifierfleet:name"] == self.name && tags["classifierfleet:namespace"] == self.namespace;
        all.iter().filter(|instance| ours(&instance["tags"])).map(|instance| instance["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until so many instances run, and returns how many EC2 ever launched.
    pub async fn has_running(&self, count: usize) -> usize {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(100);
        loop {
            let states = self.instances().await;
            if states.iter().filter(|state| *state == "running").count() == count {
                return states.len();
            }
            assert!(std::time::Instant::now() < patience, "{}: {count} instances shall run, and there are {states:?}", self.name);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Reasons of the events about it.
    pub async fn events(&self) -> BTreeSet<String> {
        let selector = format!("--field-selector=involvedObject.name={}", self.name);
        let args = ["get", "events", "-n", self.namespace, &selector, "-o", "jsonpath={range .items[*]}{.reason}{'\\n'}{end}"];
        self.stage.stack.kubectl(&args).await.unwrap().lines().map(str::to_owned).collect()
    }
}

/// Its status speaks of its spec as it is.
pub fn is_current(fleet: &ClassifierFleet) -> bool {
    fleet.status.as_ref().is_some_and(|status| status.observed_generation == fleet.metadata.generation)
}

/// Workers wanted.
pub fn desired(fleet: &ClassifierFleet) -> i32 {
    fleet.status.as_ref().map_or(0, |status| status.desired)
}

/// Visible messages, as last sampled.
pub fn visible(fleet: &ClassifierFleet) -> Option<i64> {
    Some(queue(fleet)?.visible)
}

fn queue(fleet: &ClassifierFleet) -> Option<QueueInputs> {
    fleet.status.as_ref()?.decision.as_ref()?.inputs.queue
}

/// The sentences of its decision.
pub fn steps(fleet: &ClassifierFleet) -> String {
    let decision = fleet.status.as_ref().and_then(|status| status.decision.as_ref());
    decision.map(|decision| decision.steps.join(" ")).unwrap_or_default()
}

/// The limit that binds.
pub fn limit(fleet: &ClassifierFleet) -> Option<&str> {
    fleet.status.as_ref()?.decision.as_ref()?.limited_by.as_deref()
}

/// Status and reason of a condition, such as `True MaxReached`.
pub fn condition(fleet: &ClassifierFleet, type_: &str) -> String {
    let conditions = fleet.status.iter().flat_map(|status| &status.conditions);
    let found = conditions.into_iter().find(|condition| condition.type_ == type_);
    found.map(|condition| format!("{} {}", condition.status, condition.reason)).unwrap_or_default()
}
