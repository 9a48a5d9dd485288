//! What the tests see of a fleet: its object, and its instances as EC2's own state has them, without lag.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use xtask::stack::Endpoints;

use super::chain::{Chain, Trigger, Wanted};

/// One fleet and its surroundings.
pub struct World {
    namespace: String,
    /// Not through the relays.
    endpoints: Endpoints,
    http: reqwest::Client,
    fleets: Api<DynamicObject>,
    uid: OnceLock<String>,
}

impl World {
    /// A fresh namespace.
    pub async fn create(kube: &Client, namespace: String, endpoints: Endpoints) -> Result<Self> {
        let object: Namespace = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        Api::<Namespace>::all(kube.clone()).create(&PostParams::default(), &object).await?;
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("classifierfleet.dev", "v1alpha1", "ClassifierFleet"));
        let fleets = Api::namespaced_with(kube.clone(), &namespace, &kind);
        Ok(Self { namespace, endpoints, http: reqwest::Client::new(), fleets, uid: OnceLock::new() })
    }

    /// Sets a phase off.
    pub async fn set_off(&self, chain: &Chain, trigger: &Trigger) -> Result<()> {
        match trigger {
            Trigger::Create => {
                let fleet = serde_json::from_value(chain.fleet(&self.namespace))?;
                let created = self.fleets.create(&PostParams::default(), &fleet).await?;
                let _ = self.uid.set(created.metadata.uid.unwrap_or_default());
            }
            Trigger::Delete => {
                self.fleets.delete("fleet", &DeleteParams::default()).await?;
            }
            Trigger::Scale(_) | Trigger::Template => {
                let patch = trigger.patch().unwrap_or_default();
                self.fleets.patch("fleet", &PatchParams::default(), &Patch::Merge(patch)).await?;
            }
        }
        Ok(())
    }

    /// Whether there is what is wanted, or what is missing.
    pub async fn settled(&self, trigger: &Trigger, wanted: Wanted) -> Result<Result<(), String>> {
        let fleet = self.fleets.get_opt("fleet").await?;
        // The status first: it is cheap to ask for, and as a rule what is waited for.
        if let Err(reason) = status_is(trigger, wanted, fleet.as_ref()) {
            return Ok(Err(reason));
        }
        if let Err(reason) = instances_are(wanted, fleet.as_ref(), &self.instances().await?) {
            return Ok(Err(reason));
        }
        let left = if matches!(trigger, Trigger::Delete) { self.left().await? } else { Vec::new() };
        Ok(if left.is_empty() { Ok(()) } else { Err(format!("the fleet is gone and {left:?} are left")) })
    }

    /// Launch template, queues and buckets of a fleet that is gone and was to take them along.
    async fn left(&self) -> Result<Vec<String>> {
        let Endpoints { sqs, s3, ec2 } = &self.endpoints;
        let http = &self.http;
        let template = format!("classifierfleet-{}", self.uid.get().map_or("", String::as_str));
        let form = [("Action", "DescribeLaunchTemplateVersions"), ("Version", "2016-11-15"), ("LaunchTemplateName", &template)];
        let gone = http.post(ec2).form(&form).send().await?.text().await?.contains("InvalidLaunchTemplateName.NotFound");
        let mut left = if gone { Vec::new() } else { vec![template] };
        let queues = http.post(sqs).header("x-amz-target", "AmazonSQS.ListQueues").header("content-type", "application/x-amz-json-1.0");
        let queues: Value =
            queues.body(json!({"QueueNamePrefix": format!("{}-", self.namespace)}).to_string()).send().await?.json().await?;
        left.extend(queues["QueueUrls"].as_array().into_iter().flatten().map(ToString::to_string));
        let buckets = http.get(s3).send().await?.error_for_status()?.text().await?;
        let own = ["in", "out"].map(|kind| format!("<Name>{}-{kind}</Name>", self.namespace));
        left.extend(own.into_iter().filter(|bucket| buckets.contains(bucket)));
        Ok(left)
    }

    /// Instances that EC2 launched for the fleet, terminated ones too.
    pub async fn instances(&self) -> Result<Vec<Value>> {
        let all: Vec<Value> = self.http.get(format!("{}/_cloudsim/instances", self.endpoints.ec2)).send().await?.json().await?;
        Ok(all.into_iter().filter(|instance| instance["tags"]["classifierfleet:namespace"] == *self.namespace).collect())
    }

    /// No more was ever launched than was wanted.
    pub async fn nothing_doubled(&self, wanted: Wanted) -> Result<()> {
        let instances = self.instances().await?;
        let mut by_token: BTreeMap<&str, usize> = BTreeMap::new();
        for instance in &instances {
            *by_token.entry(instance["clientToken"].as_str().unwrap_or_default()).or_default() += 1;
        }
        ensure!(
            instances.len() <= wanted.launched,
            "EC2 launched {} instead of {}, by token {by_token:?}",
            instances.len(),
            wanted.launched
        );
        Ok(())
    }

    /// Ends the instances of a fleet that is of no more interest, so that the next one has EC2 for itself.
    pub async fn clear(&self) -> Result<()> {
        let instances = self.instances().await?;
        let live = instances.iter().filter(|instance| instance["state"] != "terminated");
        let ids = live
            .enumerate()
            .filter_map(|(n, instance)| Some((format!("InstanceId.{}", n + 1), instance["instanceId"].as_str()?.to_owned())));
        let mut form: Vec<(String, String)> = ids.collect();
        if form.is_empty() {
            return Ok(());
        }
        form.extend([("Action", "TerminateInstances"), ("Version", "2016-11-15")].map(|(name, value)| (name.to_owned(), value.to_owned())));
        self.http.post(&self.endpoints.ec2).form(&form).send().await?.error_for_status().context("EC2 cannot be cleared")?;
        Ok(())
    }
}

fn status_is(trigger: &Trigger, wanted: Wanted, fleet: Option<&DynamicObject>) -> Result<(), String> {
    let Some(fleet) = fleet else {
        return if matches!(trigger, Trigger::Delete) { Ok(()) } else { Err("the fleet is not there".to_owned()) };
    };
    let status = &fleet.data["status"];
    let current = status["observedGeneration"].as_i64().is_some_and(|seen| Some(seen) == fleet.metadata.generation);
    let ready = |kind: &str| status["conditions"].as_array().into_iter().flatten().any(|c| c["type"] == kind && c["status"] == "True");
    let workers = ["ready", "starting", "draining", "stopped", "outdated"].map(|name| status["workers"][name].as_u64().unwrap_or(0));
    let expected = [wanted.running as u64, 0, 0, wanted.stopped as u64, 0];
    if matches!(trigger, Trigger::Delete) || !current || !ready("QueuesReady") || workers != expected {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        let reasons: Vec<_> = conditions.map(|c| format!("{}: {} ({})", c["type"], c["status"], c["message"])).collect();
        return Err(format!("the status, up to date: {current}, says {} and {reasons:?}", status["workers"]));
    }
    Ok(())
}

fn instances_are(wanted: Wanted, fleet: Option<&DynamicObject>, instances: &[Value]) -> Result<(), String> {
    let states = |state: &str| instances.iter().filter(|instance| instance["state"] == state).count();
    let found = Wanted { running: states("running"), stopped: states("stopped"), launched: instances.len() };
    let moving = instances.len() - found.running - found.stopped - states("terminated");
    let revision = fleet.map(|fleet| &fleet.data["status"]["revision"]);
    let outdated =
        instances.iter().any(|instance| instance["state"] == "running" && Some(&instance["tags"]["classifierfleet:revision"]) != revision);
    if found != wanted || moving > 0 || outdated {
        return Err(format!("EC2 has {found:?}, {moving} on the move, of an old revision: {outdated}"));
    }
    Ok(())
}
