//! What the scenarios see and change: fleets as the API server has them, EC2 as its own state has it, events and metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use crds::{ClassifierFleet, ClassifierFleetStatus};
use jiff::Timestamp;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use xtask::stack::Stack;

use crate::support::until;
use crate::{IMAGE, operator_of};

/// The stack, and what is known of it.
pub struct World {
    pub stack: Stack,
    kube: Client,
    http: reqwest::Client,
    ec2: String,
    /// EC2's limits: an order replaces all of them.
    capacity: Mutex<BTreeMap<String, u32>>,
    /// EC2's log as far as it was read.
    log: Mutex<Vec<Arc<Call>>>,
}

/// A request that EC2 took.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    seq: u64,
    pub at: Timestamp,
    pub action: String,
    pub params: BTreeMap<String, String>,
    pub outcome: String,
    pub instance_ids: Vec<String>,
}

/// An instance, without lag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    #[serde(rename = "instanceId")]
    pub id: String,
    pub state: String,
    pub state_reason: Option<String>,
    pub instance_type: String,
    pub image_id: String,
    pub launch_time: Timestamp,
    pub spot_instance_request_id: Option<String>,
    pub client_token: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub volumes: Vec<Volume>,
}

/// A disk of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    pub device_name: String,
    pub size_gib: Option<u32>,
    pub tags: BTreeMap<String, String>,
}

/// A fleet.
pub struct Fleet<'a> {
    pub world: &'a World,
    pub namespace: &'static str,
    pub name: &'static str,
    api: Api<ClassifierFleet>,
    /// Name of its launch template.
    pub template: String,
}

impl World {
    pub async fn new(stack: Stack) -> Self {
        let kube = stack.kubernetes().client().await.unwrap();
        let ec2 = stack.endpoints().unwrap().ec2.clone();
        Self { stack, kube, ec2, http: reqwest::Client::new(), capacity: Mutex::default(), log: Mutex::default() }
    }

    /// An order to EC2's control API.
    pub async fn order(&self, method: Method, path: &str, order: Value) {
        let answer = self.http.request(method, format!("{}/_cloudsim/{path}", self.ec2)).json(&order).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str) -> T {
        self.http.get(format!("{}/_cloudsim/{path}", self.ec2)).send().await.unwrap().json().await.unwrap()
    }

    /// EC2 has room for so many of each offering; other offerings keep what they have.
    pub async fn room(&self, limits: &[(&str, u32)]) {
        let mut capacity = self.capacity.lock().await;
        capacity.extend(limits.iter().map(|(offering, room)| ((*offering).to_owned(), *room)));
        self.order(Method::POST, "faults", json!({ "capacity": *capacity })).await;
    }

    /// A request as somebody else than the operator makes it.
    pub async fn call(&self, form: &[(String, String)]) {
        let answer = self.http.post(&self.ec2).form(form).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// All that EC2 was asked, oldest first.
    async fn log(&self) -> Vec<Arc<Call>> {
        let mut log = self.log.lock().await;
        let since = log.last().map_or(0, |call| call.seq);
        log.extend(self.ask::<Vec<Call>>(&format!("log?since={since}")).await.into_iter().map(Arc::new));
        log.clone()
    }

    /// A fleet of nothing but defaults and `workers`.
    pub async fn fleet(&self, namespace: &'static str, name: &'static str, instance_types: &[&str], workers: Value) -> Fleet<'_> {
        let mut spec = json!({
            "queues": {"request": {"name": format!("{name}-requests")}, "response": {"name": format!("{name}-responses")}},
            "storage": {"inputBucket": format!("{name}-in"), "outputBucket": format!("{name}-out")},
            "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
            "workers": {"max": 5, "template": {"imageId": IMAGE, "instanceTypes": instance_types}},
            "gateway": {"replicas": 0},
        });
        merge(&mut spec["workers"], workers);
        let object = json!({
            "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        });
        let api: Api<ClassifierFleet> = Api::namespaced(self.kube.clone(), namespace);
        let made = api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
        Fleet { world: self, namespace, name, api, template: format!("classifierfleet-{}", made.uid().unwrap()) }
    }
}

impl<'a> Fleet<'a> {
    /// Changes `spec.workers`.
    pub async fn patch(&self, workers: Value) {
        let patch = Patch::Merge(json!({"spec": {"workers": workers}}));
        self.api.patch(self.name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// As `kubectl scale` does it.
    pub async fn scale(&self, replicas: u32) {
        self.patch(json!({ "replicas": replicas })).await;
    }

    pub async fn status(&self) -> ClassifierFleetStatus {
        self.api.get(self.name).await.unwrap().status.unwrap_or_default()
    }

    /// Waits until the status is as `is` says.
    pub async fn until(&self, what: &str, is: impl Fn(&ClassifierFleetStatus) -> bool) {
        until(&format!("{}: {what}", self.name), async || {
            let fleet = self.api.get(self.name).await.unwrap();
            let status = fleet.status.unwrap_or_default();
            status.observed_generation == fleet.metadata.generation && is(&status)
        })
        .await;
    }

    /// Waits until so many workers are ready and so many stopped, all of the current revision, and nothing is on its way.
    pub async fn settles(&self, ready: i32, stopped: i32) {
        self.until(&format!("{ready} ready, {stopped} stopped, and nothing on the move"), |status| {
            let workers = &status.workers;
            let moving = workers.starting + workers.draining + workers.outdated;
            // Those that are on their way to be stopped or gone are in the total, the stopped ones are not.
            (workers.ready, workers.stopped, moving, workers.total) == (ready, stopped, 0, ready)
        })
        .await;
        let counted = |state: &'static str, instances: &[Instance]| instances.iter().filter(|instance| instance.state == state).count();
        until(&format!("{}: EC2 has {stopped} stopped", self.name), async || {
            counted("stopped", &self.instances().await) == usize::try_from(stopped).unwrap()
        })
        .await;
    }

    /// Waits for a condition's status and reason. Returns its message.
    pub async fn condition(&self, kind: &str, holds: bool, reason: &str) -> String {
        let holds = if holds { "True" } else { "False" };
        let is = |status: &ClassifierFleetStatus| {
            let found = status.conditions.iter().find(|found| found.type_ == kind && found.status == holds && found.reason == reason);
            found.map(|found| found.message.clone())
        };
        self.until(&format!("{kind} is {holds} with {reason}"), |status| is(status).is_some()).await;
        is(&self.status().await).unwrap_or_default()
    }

    /// All that EC2 ever launched for it.
    pub async fn instances(&self) -> Vec<Instance> {
        let all: Vec<Instance> = self.world.ask("instances").await;
        let of_fleet = |key: &str, value: &str, instance: &Instance| instance.tags.get(key).is_some_and(|tag| tag == value);
        let is_ours = |instance: &Instance| {
            of_fleet("classifierfleet:namespace", self.namespace, instance) && of_fleet("classifierfleet:name", self.name, instance)
        };
        all.into_iter().filter(is_ours).collect()
    }

    pub async fn live(&self) -> Vec<Instance> {
        self.instances().await.into_iter().filter(Instance::is_live).collect()
    }

    /// Its launches, as far as EC2 was asked.
    pub async fn launches(&self) -> Vec<Arc<Call>> {
        let is_ours = |call: &Arc<Call>| call.params.get("LaunchTemplate.LaunchTemplateName") == Some(&self.template);
        self.world.log().await.into_iter().filter(|call| call.action == "RunInstances" && is_ours(call)).collect()
    }

    /// Calls of `action` that name one of its instances, or its launch template.
    pub async fn calls(&self, action: &str) -> Vec<Arc<Call>> {
        let instances = self.instances().await;
        let is_ours = |value: &String| *value == self.template || instances.iter().any(|instance| instance.id == *value);
        let log = self.world.log().await;
        log.into_iter().filter(|call| call.action == action && call.params.values().any(is_ours)).collect()
    }

    /// What its events of this reason say.
    pub async fn events(&self, reason: &str) -> Vec<String> {
        let events: Api<Event> = Api::namespaced(self.world.kube.clone(), self.namespace);
        let all = events.list(&ListParams::default()).await.unwrap().items;
        let is_ours = |event: &Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(self.name));
        let ours = all.into_iter().filter(|event| is_ours(event) && event.reason.as_deref() == Some(reason));
        ours.filter_map(|event| event.note).collect()
    }

    /// The fleet's value of a metric of its operator, with these further labels; 0 if there is none.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let operator = self.world.stack.supervisor().running(&operator_of(self.namespace)).unwrap();
        let text = self.world.http.get(operator.url.unwrap()).send().await.unwrap().text().await.unwrap();
        let own = [("namespace", self.namespace), ("fleet", self.name)];
        let all: Vec<String> = labels.iter().chain(&own).map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")) && all.iter().all(|label| line.contains(label)));
        line.and_then(|line| line.rsplit_once(' ')).map_or(0.0, |(_, value)| value.parse().unwrap())
    }

    /// Workers that the operator removed for this reason.
    pub async fn removed(&self, reason: &str) -> f64 {
        self.metric("classifierfleet_removed_instances_total", &[("reason", reason)]).await
    }
}

impl Instance {
    pub fn is_live(&self) -> bool {
        matches!(self.state.as_str(), "pending" | "running")
    }

    pub fn is_spot(&self) -> bool {
        self.spot_instance_request_id.is_some()
    }

    /// Takes jobs: registered, and not told to leave.
    pub fn serves(&self) -> bool {
        let is_set = |key: &str| self.tag(key).is_some_and(|value| !value.is_empty());
        self.state == "running" && is_set("classifierfleet:ready") && self.tag("classifierfleet:intent") != Some("drain")
    }

    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }
}

/// Ids, sorted.
pub fn ids(instances: &[Instance]) -> Vec<String> {
    let mut ids: Vec<String> = instances.iter().map(|instance| instance.id.clone()).collect();
    ids.sort();
    ids
}

/// Lays `over` over `base`, as a merge patch does.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, over) => *base = over,
    }
}
