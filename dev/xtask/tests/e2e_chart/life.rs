//! A release from its installation to its end, with a fleet that outlives its changes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cluster::{condition, small};
use crate::support::{classify, instances, photos, until};
use crate::{Stage, rights};

/// Where the operator is.
pub const NAMESPACE: &str = "classifierfleet";
/// Name of the release, and of all that is in it.
pub const RELEASE: &str = "classifier-fleet";
const DEPLOYMENT: [&str; 4] = ["deployment", RELEASE, "-n", NAMESPACE];
const CRD: [&str; 2] = ["crd", "classifierfleets.classifierfleet.dev"];

/// Where AWS is for the pods, and an address of its own for each of them.
fn local(stage: &Stage) -> Vec<String> {
    let endpoints = stage.stack.operator_options("chart").unwrap().endpoints;
    let settings = [
        "aws.region=us-east-1".to_owned(),
        format!("aws.endpoints.ec2={}", endpoints.ec2),
        format!("aws.endpoints.sqs={}", endpoints.sqs),
        format!("aws.endpoints.s3={}", endpoints.s3),
        "monitor.address=$(POD_IP)".to_owned(),
    ];
    settings.into_iter().flat_map(|setting| ["--set".to_owned(), setting]).collect()
}

/// `helm install` or `upgrade`, until all pods are ready.
async fn apply(stage: &Stage, verb: &str, release: &str, namespace: &str, chart: &Path, more: &[&str]) {
    let (chart, local) = (chart.to_string_lossy(), local(stage));
    let mut args = vec![verb, release, &chart, "--namespace", namespace, "--wait", "--timeout", "120s"];
    args.extend(local.iter().map(String::as_str));
    args.extend(more);
    stage.helm.run(&args).await.unwrap();
}

/// The chart as it would have been when fleets had another short name.
fn older_chart(stage: &Stage) -> PathBuf {
    let older = stage.stack.dir().join("older");
    // The link to the CRD becomes a file.
    let copied = std::process::Command::new("cp").args(["-rL"]).args([stage.helm.chart(), &older]).status().unwrap();
    assert!(copied.success());
    let file = older.join("files/classifierfleet.yaml");
    let crd = std::fs::read_to_string(&file).unwrap();
    assert!(crd.contains("    - cfleet\n"), "{crd}");
    std::fs::write(file, crd.replace("    - cfleet\n", "    - oldfleet\n")).unwrap();
    older
}

async fn short_name(stage: &Stage) -> String {
    stage.read(&CRD, "{.spec.names.shortNames[*]}").await
}

/// All replicas are there, with this log level, and one of them leads.
async fn operators_are_ready(stage: &Stage, level: &str) {
    let path = r#"{.status.readyReplicas} {.status.updatedReplicas} {.spec.template.spec.containers[0].env[?(@.name=="LOG_LEVEL")].value}"#;
    until("all replicas are ready", async || stage.read(&DEPLOYMENT, path).await == format!("2 2 {level}")).await;
    let of_release = format!("app.kubernetes.io/instance={RELEASE}");
    until("one of the pods leads", async || {
        let pods = stage.read(&["pods", "-n", NAMESPACE, "-l", &of_release], "{.items[*].metadata.name}").await;
        let leader = stage.read(&["lease", "classifierfleet-operator", "-n", NAMESPACE], "{.spec.holderIdentity}").await;
        pods.split(' ').count() == 2 && pods.split(' ').any(|pod| pod == leader)
    })
    .await;
}

pub async fn install_of_an_older_chart(stage: &Stage) {
    apply(stage, "install", RELEASE, NAMESPACE, &older_chart(stage), &[]).await;
    assert_eq!(short_name(stage).await, "oldfleet");
    operators_are_ready(stage, "info").await;
}

/// Queues, buckets, gateway and a worker are made, by an operator that has the chart's rights alone.
pub async fn a_fleet_comes_to_be(stage: &Stage) {
    stage.stack.kubectl(&["apply", "-n", "photos", "-f", "examples/imagenet.yaml"].map(|arg| local_path(stage, arg))).await.unwrap();
    let ready = |fleet: &Value| condition(fleet, "GatewayReady").0 == "True" && condition(fleet, "QueuesReady").0 == "True";
    stage.cluster.fleet("photos", "imagenet", "gateway and queues are ready", ready).await;
    let address = stage.read(&["pod", "imagenet-gateway-0", "-n", "photos"], "{.status.podIP}").await;
    let photo = photos(&stage.stack).remove(0);
    let answer = classify(&format!("http://{address}:8080"), "/upload", "file", &photo.name, photo.bytes).await;
    assert_eq!(answer["predictions"][0]["index"], photo.class);
    // Events are written last, and by nobody's leave but the chart's.
    let events = ["events", "-n", "photos", "--field-selector", "involvedObject.name=imagenet"];
    until("the launch is told", async || stage.read(&events, "{.items[*].reason}").await.contains("Launched")).await;
}

/// A path of the checkout, for a program that runs elsewhere.
fn local_path(stage: &Stage, arg: &str) -> String {
    let root = stage.helm.chart().ancestors().nth(2).unwrap();
    if arg.contains('/') { root.join(arg).display().to_string() } else { arg.to_owned() }
}

async fn gateway(stage: &Stage) -> String {
    stage.read(&["pod", "imagenet-gateway-0", "-n", "photos"], "{.metadata.uid}").await
}

/// The CRD is upgraded with the release, the operators are replaced, and the gateway goes on.
pub async fn upgrade(stage: &Stage) {
    let before = gateway(stage).await;
    apply(stage, "upgrade", RELEASE, NAMESPACE, stage.helm.chart(), &["--set", "operator.logLevel=debug"]).await;
    assert_eq!(short_name(stage).await, "cfleet");
    operators_are_ready(stage, "debug").await;
    is_kept(stage).await;
    assert_eq!(gateway(stage).await, before);
}

pub async fn rollback(stage: &Stage) {
    stage.helm.run(&["rollback", RELEASE, "1", "--namespace", NAMESPACE, "--wait", "--timeout", "120s"]).await.unwrap();
    assert_eq!(short_name(stage).await, "oldfleet");
    operators_are_ready(stage, "info").await;
    is_kept(stage).await;
}

/// The operator that leads now keeps the fleet: what somebody deletes of it comes back.
async fn is_kept(stage: &Stage) {
    let (kind, name) = ("poddisruptionbudgets", "imagenet-gateway");
    let uid = stage.cluster.get(kind, "photos", name).await.unwrap()["metadata"]["uid"].clone();
    stage.cluster.delete(kind, "photos", name).await;
    stage.cluster.wait(kind, "photos", name, "it is made again", |budget| budget["metadata"]["uid"] != uid).await;
    let ready = |fleet: &Value| condition(fleet, "GatewayReady").0 == "True";
    stage.cluster.fleet("photos", "imagenet", "its gateway is ready", ready).await;
}

/// The fleet goes first, and its instances with it; the CRD stays.
pub async fn uninstall(stage: &Stage) {
    stage.stack.kubectl(&["delete", "classifierfleet", "imagenet", "-n", "photos", "--timeout=120s"]).await.unwrap();
    let launched = instances(&stage.stack).await;
    assert!(!launched.is_empty() && launched.iter().all(|instance| instance["state"] == "terminated"), "{launched:?}");
    stage.helm.run(&["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "120s"]).await.unwrap();
    let kinds = "deployments,pods,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings";
    let left = ["get", kinds, "-n", NAMESPACE, "-l", "app.kubernetes.io/part-of=classifierfleet", "-o", "name"];
    until("nothing else is left", async || stage.stack.kubectl(&left).await.unwrap().is_empty()).await;
    assert_eq!(short_name(stage).await, "oldfleet", "fleets of others would go with it");
}

/// An operator of one namespace needs no right elsewhere, and the CRD of whoever brought it.
pub async fn one_namespace_alone(stage: &Stage) {
    let alone = ["--set", "clusterName=of-the-team,watchNamespaces={team},rbac.aggregateToDefaultRoles=false", "--set"];
    apply(stage, "install", "team", "team", stage.helm.chart(), &[&alone[..], &["crds.install=false"]].concat()).await;
    let manifest = stage.helm.run(&["get", "manifest", "team", "--namespace", "team"]).await.unwrap();
    assert!(manifest.contains("kind: Role\n") && !manifest.contains("kind: Cluster"), "{manifest}");
    let fleet = stage.cluster.create("classifierfleets", "team", &small("inner", &json!({}))).await;
    assert_eq!(fleet["metadata"]["name"], "inner");
    stage.cluster.fleet("team", "inner", "its queues are ready", |fleet| condition(fleet, "QueuesReady").0 == "True").await;
    rights::of_one_namespace(stage).await;
    apply(stage, "upgrade", "team", "team", stage.helm.chart(), &[&alone[..], &["crds.install=true", "--take-ownership"]].concat()).await;
    assert_eq!(short_name(stage).await, "cfleet", "a release may take over a CRD that is not its own");
    stage.stack.kubectl(&["delete", "classifierfleet", "inner", "-n", "team", "--timeout=120s"]).await.unwrap();
    stage.helm.run(&["uninstall", "team", "--namespace", "team", "--wait", "--timeout", "120s"]).await.unwrap();
}
