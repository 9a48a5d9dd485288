//! Several operators: one works and the others wait, each keeps to its namespaces, and what no fleet owns any more is ended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use cluster::{Cluster, small};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{instances, until};
use xtask::stack::{CloudDelays, Extent, Guests, OperatorOptions, Stack};

/// The namespace that the operators keep, and one that they do not.
const OURS: &str = "ours";
const OTHERS: &str = "others";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn operators_take_turns_and_leave_nothing_behind() {
    let stack = Stack::for_test("operators", |options| {
        options.extent = Extent::Aws;
        options.delays = CloudDelays { pending: 0.3, boot: 0.3, describe_lag: 0.3 };
        options.guests = Guests::Simulated { drain: 4.0 };
    });
    let stack = stack.await.unwrap();
    stack.define_fleets().await.unwrap();
    let cluster = Cluster::of(&stack).await;
    for namespace in [OURS, OTHERS] {
        stack.kubectl(&["create", "namespace", namespace]).await.unwrap();
    }
    for (namespace, name) in [(OURS, "kept"), (OURS, "lost"), (OTHERS, "foreign")] {
        cluster.create("classifierfleets", namespace, &small(name, &json!({"workers": {"min": 1}}))).await;
    }
    let strays = Strays::launch(&stack).await;
    one_works_and_the_other_goes_on_when_it_dies(&stack, &cluster).await;
    one_that_ends_gives_the_lease_back(&stack, &cluster).await;
    let lost = is_torn_from_its_instances(&stack, &cluster, "lost").await;
    spawn(&stack, "operator-3").await;
    tokio::join!(only_orphans_are_ended(&stack, &strays, &lost), a_fleet_takes_all_its_workers_along(&stack, &cluster),);
    other_namespaces_are_left_alone(&stack, &cluster).await;
    metrics_are_named_as_prometheus_has_it(&metrics(&stack, "operator-3").await);
    stack.stop().await.unwrap();
}

async fn spawn(stack: &Stack, name: &str) {
    let options = OperatorOptions { args: vec![format!("--namespaces={OURS}")], ..stack.operator_options(name).unwrap() };
    stack.spawn_operator_with(&options).await.unwrap();
}

async fn one_works_and_the_other_goes_on_when_it_dies(stack: &Stack, cluster: &Cluster) {
    spawn(stack, "operator").await;
    until("the first leads", async || leader(cluster).await == "operator").await;
    // It is ready although it waits, or no roll-out of operators would ever end.
    spawn(stack, "operator-2").await;
    has_ready(cluster, "kept", 1).await;
    has_ready(cluster, "lost", 1).await;
    assert_eq!((reconciles(stack, "operator").await > 0.0, reconciles(stack, "operator-2").await), (true, 0.0), "only the first works");
    stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
    assert_eq!(leader(cluster).await, "operator", "nobody gave the Lease back");
    cluster.respec(OURS, "kept", json!({"workers": {"min": 2}})).await;
    has_ready(cluster, "kept", 2).await;
    assert_eq!(leader(cluster).await, "operator-2");
    assert!(reconciles(stack, "operator-2").await > 0.0);
}

async fn one_that_ends_gives_the_lease_back(stack: &Stack, cluster: &Cluster) {
    stack.kill_operator("operator-2", Signal::SIGTERM).await.unwrap();
    assert_eq!(leader(cluster).await, "", "the next one would have to wait for the Lease to end");
}

/// Who holds the operators' Lease.
async fn leader(cluster: &Cluster) -> String {
    let lease = cluster.get("leases", "default", "classifierfleet-operator").await.unwrap_or_default();
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
}

async fn has_ready(cluster: &Cluster, name: &str, workers: u32) {
    cluster.fleet(OURS, name, &format!("{workers} workers are ready"), |fleet| fleet["status"]["workers"]["ready"] == workers).await;
}

/// Deletes a fleet and its finalizer by hand while no operator looks. Returns the instances that it leaves.
async fn is_torn_from_its_instances(stack: &Stack, cluster: &Cluster, name: &str) -> BTreeSet<String> {
    cluster.delete("classifierfleets", OURS, name).await;
    cluster.patch("classifierfleets", OURS, name, json!({"metadata": {"finalizers": null}})).await;
    cluster.gone("classifierfleets", OURS, name).await;
    let left = of_fleet(stack, name).await;
    assert!(!left.is_empty() && left.values().all(|state| state == "running"), "{left:?}");
    left.into_keys().collect()
}

/// Instances launched by hand, with tags that make them look like workers.
struct Strays {
    /// Of a fleet that is gone.
    orphan: String,
    /// Of another cluster in the same account.
    of_another_cluster: String,
    /// Of a namespace that the operators do not keep.
    of_another_namespace: String,
    /// Of a fleet that exists.
    owned: String,
    /// Without a fleet.
    untagged: String,
}

impl Strays {
    async fn launch(stack: &Stack) -> Self {
        let this = stack.kubectl(&["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"]).await.unwrap();
        let kept = stack.kubectl(&["get", "cfleet", "-n", OTHERS, "foreign", "-o", "jsonpath={.metadata.uid}"]).await.unwrap();
        let gone = "00000000-0000-4000-8000-000000000000";
        Self {
            orphan: launch(stack, &[("cluster", &this), ("uid", gone), ("namespace", OURS)]).await,
            of_another_cluster: launch(stack, &[("cluster", "another"), ("uid", gone), ("namespace", OURS)]).await,
            of_another_namespace: launch(stack, &[("cluster", &this), ("uid", gone), ("namespace", OTHERS)]).await,
            owned: launch(stack, &[("cluster", &this), ("uid", &kept), ("namespace", OTHERS)]).await,
            untagged: launch(stack, &[("cluster", &this)]).await,
        }
    }
}

/// Launches one instance by hand. Returns its id.
async fn launch(stack: &Stack, tags: &[(&str, &str)]) -> String {
    let call = [("Action", "RunInstances"), ("Version", "2016-11-15"), ("ImageId", "ami-0123456789abcdef0"), ("InstanceType", "t3.small")];
    let mut form: Vec<(String, String)> = call.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    form.extend(["MinCount", "MaxCount"].map(|name| (name.to_owned(), "1".to_owned())));
    form.push(("TagSpecification.1.ResourceType".to_owned(), "instance".to_owned()));
    for (n, (key, value)) in (1..).zip(tags) {
        form.push((format!("TagSpecification.1.Tag.{n}.Key"), format!("classifierfleet:{key}")));
        form.push((format!("TagSpecification.1.Tag.{n}.Value"), (*value).to_owned()));
    }
    let answer = ec2(stack, &form).await;
    let id = answer.split_once("<instanceId>").and_then(|(_, rest)| rest.split_once('<'));
    id.unwrap_or_else(|| panic!("{answer}")).0.to_owned()
}

/// What EC2 answers to somebody who is not of ours.
async fn ec2(stack: &Stack, form: &[(String, String)]) -> String {
    let url = &stack.endpoints().unwrap().ec2;
    reqwest::Client::new().post(url).form(form).send().await.unwrap().text().await.unwrap()
}

/// What no fleet of this cluster and these namespaces owns is terminated and counted, and nothing else.
async fn only_orphans_are_ended(stack: &Stack, strays: &Strays, lost: &BTreeSet<String>) {
    let Strays { orphan, of_another_cluster, of_another_namespace, owned, untagged } = strays;
    let mut orphans = lost.clone();
    orphans.insert(orphan.clone());
    until("the orphans are gone", async || states(stack, &orphans).await.iter().all(|state| state == "terminated")).await;
    let others = [of_another_cluster, of_another_namespace, owned, untagged].map(Clone::clone).into();
    assert!(states(stack, &others).await.iter().all(|state| state == "running"), "somebody else's were ended");
    has_all_running(stack, "kept", 2).await;
    let counted = value(&metrics(stack, "operator-3").await, r#"classifierfleet_operator_orphans_terminated_total{region="us-east-1"}"#);
    assert_eq!(usize::try_from(counted.unwrap() as u64).unwrap(), orphans.len());
}

async fn has_all_running(stack: &Stack, fleet: &str, count: usize) {
    let running = of_fleet(stack, fleet).await.into_values().filter(|state| state == "running").count();
    assert_eq!(running, count, "{fleet}");
}

/// States of the instances with these ids.
async fn states(stack: &Stack, ids: &BTreeSet<String>) -> Vec<String> {
    let all = instances(stack).await;
    let of = |id: &String| all.iter().find(|instance| instance["instanceId"] == *id).unwrap()["state"].as_str().unwrap().to_owned();
    ids.iter().map(of).collect()
}

/// Instances of a fleet with their states, but for those that are drained: `draining`.
async fn of_fleet(stack: &Stack, name: &str) -> BTreeMap<String, String> {
    let state = |instance: &Value| match (instance["state"].as_str().unwrap(), instance["tags"]["classifierfleet:intent"] == "drain") {
        ("running", true) => "draining".to_owned(),
        (state, _) => state.to_owned(),
    };
    let all = instances(stack).await;
    let ours = all.iter().filter(|instance| instance["tags"]["classifierfleet:name"] == name);
    ours.map(|instance| (instance["instanceId"].as_str().unwrap().to_owned(), state(instance))).collect()
}

/// Live, stopped and draining workers, and the launch template, all go with their fleet.
async fn a_fleet_takes_all_its_workers_along(stack: &Stack, cluster: &Cluster) {
    let spec = json!({"workers": {"replicas": 3, "warmPool": {"max": 1}}});
    let fleet = cluster.create("classifierfleets", OURS, &small("whole", &spec)).await;
    has_ready(cluster, "whole", 3).await;
    cluster.respec(OURS, "whole", json!({"workers": {"replicas": 2}})).await;
    has(stack, "whole", &["running", "running", "stopped"]).await;
    cluster.respec(OURS, "whole", json!({"workers": {"replicas": 1}})).await;
    has(stack, "whole", &["draining", "running", "stopped"]).await;
    let template = format!("classifierfleet-{}", fleet["metadata"]["uid"].as_str().unwrap());
    assert!(templates(stack).await.contains(&template));
    cluster.delete("classifierfleets", OURS, "whole").await;
    cluster.gone("classifierfleets", OURS, "whole").await;
    has(stack, "whole", &["terminated", "terminated", "terminated"]).await;
    assert!(!templates(stack).await.contains(&template), "its launch template is left");
}

async fn has(stack: &Stack, fleet: &str, wanted: &[&str]) {
    until(&format!("the instances of {fleet} are {wanted:?}"), async || {
        let mut states: Vec<String> = of_fleet(stack, fleet).await.into_values().collect();
        states.sort();
        states == wanted
    })
    .await;
}

/// All launch templates that EC2 has, as XML.
async fn templates(stack: &Stack) -> String {
    ec2(stack, &[("Action", "DescribeLaunchTemplates"), ("Version", "2016-11-15")].map(|(name, value)| (name.to_owned(), value.to_owned())))
        .await
}

/// A fleet elsewhere is not even touched.
async fn other_namespaces_are_left_alone(stack: &Stack, cluster: &Cluster) {
    let foreign = cluster.get("classifierfleets", OTHERS, "foreign").await.unwrap();
    assert_eq!((foreign.get("status"), foreign["metadata"].get("finalizers")), (None, None));
    assert!(of_fleet(stack, "foreign").await.is_empty());
    let (_, sqs) = support::aws::clients(stack).await;
    assert!(sqs.get_queue_url().queue_name("foreign-requests").send().await.is_err(), "it got a queue");
    assert!(sqs.get_queue_url().queue_name("kept-requests").send().await.is_ok());
}

/// What the operator shows to Prometheus.
async fn metrics(stack: &Stack, operator: &str) -> String {
    let url = stack.supervisor().running(operator).unwrap().url.unwrap();
    reqwest::get(url).await.unwrap().error_for_status().unwrap().text().await.unwrap()
}

fn value(metrics: &str, series: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

/// Reconciles that an operator made, of whatever outcome.
async fn reconciles(stack: &Stack, operator: &str) -> f64 {
    let metrics = metrics(stack, operator).await;
    let counts = metrics.lines().filter(|line| line.starts_with("classifierfleet_operator_reconcile_duration_seconds_count"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// What `promtool check metrics` looks at.
fn metrics_are_named_as_prometheus_has_it(metrics: &str) {
    let types: Vec<(&str, &str)> = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    assert!(types.len() > 10, "{metrics}");
    for (name, kind) in types {
        assert!(name.starts_with("classifierfleet_"), "{name}: whose is it?");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}: not in snake case");
        assert!(metrics.contains(&format!("# HELP {name} ")), "{name}: no help");
        assert_eq!(name.ends_with("_total"), kind == "counter", "{name}: counters, and they alone, end in _total");
        assert!(!matches!(kind, "histogram" | "summary") || name.ends_with("_seconds") || name.ends_with("_bytes"), "{name}: no base unit");
        let strange = ["_ms", "_millis", "_minutes", "_hours", "_kb", "_mb", "_mib", "_percent", "_count", "_sum", "_bucket"];
        assert!(!strange.iter().any(|unit| name.ends_with(unit)), "{name}: not a base unit, or a suffix that is Prometheus's own");
        assert!(!name.contains(kind), "{name}: names its type");
    }
    for label in metrics.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once('{')?.1.split_once('}')?.0)) {
        let names = label.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0));
        names.for_each(|name| assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "label {name}"));
    }
}
