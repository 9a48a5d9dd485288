//! The Helm chart without a cluster: what it renders, which values it refuses, and that it is made from what is elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xtask::helm::Helm;
use xtask::paths::Paths;
use xtask::progress::Progress;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> PathBuf {
    Paths::discover().unwrap().root
}

async fn helm() -> Helm {
    Helm::ensure(&Paths::discover().unwrap(), Progress::quiet()).await.unwrap()
}

fn full_values(helm: &Helm) -> String {
    helm.chart().join("ci/full-values.yaml").display().to_string()
}

fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).unwrap()
}

/// What a snapshot shows: not what is generated and looked at elsewhere, nor the version.
fn shown(yaml: &str) -> String {
    let elsewhere = ["kind: CustomResourceDefinition", "kind: PrometheusRule", "/dashboards.yaml"];
    let documents = yaml.split("---\n").filter(|document| elsewhere.iter().all(|mark| !document.contains(mark)));
    documents.collect::<Vec<_>>().join("---\n").replace(VERSION, "VERSION")
}

/// With all numbers written in one way: Helm makes 1.0 into 1.
fn numbers_alike(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(values) => values.iter().map(numbers_alike).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), numbers_alike(value))).collect(),
        other => other.clone(),
    }
}

/// Text files of a folder of the chart, by name.
fn files(folder: &Path, extension: &str) -> BTreeMap<String, String> {
    let paths = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    paths.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn versions_and_crd_are_those_of_the_workspace() {
    let chart = root().join("charts/classifier-fleet");
    let about: Value = serde_saphyr::from_str(&std::fs::read_to_string(chart.join("Chart.yaml")).unwrap()).unwrap();
    assert_eq!((about["version"].as_str(), about["appVersion"].as_str()), (Some(VERSION), Some(VERSION)));
    let crd = std::fs::read_to_string(chart.join("files/classifierfleet.yaml")).unwrap();
    assert!(crd == crds::yaml().unwrap(), "files/classifierfleet.yaml of the chart must be a link to ../../../crds/classifierfleet.yaml");
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn helm_finds_nothing_wrong() {
    let helm = helm().await;
    helm.lint(&[]).await.unwrap();
    helm.lint(&["--values", &full_values(&helm)]).await.unwrap();
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn with_default_values() {
    let rendered = helm().await.template("classifier-fleet", "classifierfleet", &[]).await.unwrap();
    insta::assert_snapshot!(shown(&rendered));
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn with_every_value() {
    let helm = helm().await;
    let rendered = helm.template("release", "ops", &["--values", &full_values(&helm)]).await.unwrap();
    insta::assert_snapshot!(shown(&rendered));
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn the_crd_stays_when_the_release_goes_unless_told_otherwise() {
    let helm = helm().await;
    for (setting, keep) in [("crds.keep=true", Some("keep")), ("crds.keep=false", None)] {
        let rendered = helm.template("a", "b", &["--set", setting, "--show-only", "templates/crd.yaml"]).await.unwrap();
        let crd = objects(&rendered).remove(0);
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"].as_str(), keep);
        let made: Value = serde_saphyr::from_str(&crds::yaml().unwrap()).unwrap();
        assert_eq!(numbers_alike(&crd["spec"]), numbers_alike(&made["spec"]));
    }
    let without = helm.template("a", "b", &["--set", "crds.install=false"]).await.unwrap();
    assert!(!without.contains("CustomResourceDefinition"));
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn rules_and_dashboards_are_the_files_of_the_chart() {
    let helm = helm().await;
    let all = ["--set", "prometheusRule.enabled=true,dashboards.enabled=true,crds.install=false"];
    let objects = objects(&helm.template("a", "b", &all).await.unwrap());
    let rule = objects.iter().filter(|object| object["kind"] == "PrometheusRule");
    let groups = rule.flat_map(|rule| rule["spec"]["groups"].as_array().unwrap());
    let rules = files(&helm.chart().join("rules"), "yaml");
    let written = rules.values().map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    let written: Vec<Value> = written.flat_map(|rules| rules["groups"].as_array().unwrap().clone()).collect();
    assert_eq!(groups.cloned().collect::<Vec<_>>(), written);

    let maps = objects.iter().filter(|object| object["metadata"]["labels"]["grafana_dashboard"] == "1");
    let data = maps.map(|map| serde_json::from_value::<BTreeMap<String, String>>(map["data"].clone()).unwrap());
    let shown: BTreeMap<String, String> = data.flatten().collect();
    let dashboards = files(&helm.chart().join("dashboards"), "json");
    let dashboards = dashboards.into_iter().map(|(name, text)| (format!("classifier-fleet-{name}"), text)).collect();
    assert_eq!(shown, dashboards);
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn what_is_wrong_in_the_values_is_named() {
    let helm = helm().await;
    let table = [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("image.tagg=v1", "at '/image': additional properties 'tagg' not allowed"),
        ("resource.limits.memory=1Gi", "at '': additional properties 'resource' not allowed"),
        ("image.digest=sha256:12", "at '/image/digest'"),
        ("aws.region=Frankfurt", "at '/aws/region'"),
        ("aws.endpoints.sqs=localhost:4566", "at '/aws/endpoints/sqs'"),
        ("watchNamespaces={Photos}", "at '/watchNamespaces/0'"),
        ("operator.logFormat=xml", "at '/operator/logFormat': value must be one of 'json', 'text'"),
        ("operator.sampleSeconds=0", "at '/operator/sampleSeconds': minimum: got 0, want 0.1"),
        ("operator.concurrency=0", "at '/operator/concurrency': minimum: got 0, want 1"),
        ("podDisruptionBudget.maxUnavailable=half", "at '/podDisruptionBudget/maxUnavailable'"),
        ("crds.install=maybe", "at '/crds/install': got string, want boolean"),
        ("serviceMonitor.interval=often", "at '/serviceMonitor/interval'"),
        ("prices[0].instanceType=t3.small", "at '/prices/0': missing property 'usdPerHour'"),
    ];
    for (setting, said) in table {
        let error = helm.template("a", "b", &["--set", setting]).await.expect_err(setting).to_string();
        assert!(error.contains(said), "{setting}: {error}");
    }
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn the_kustomize_base_is_up_to_date() {
    let helm = helm().await;
    let committed = std::fs::read_to_string(helm.kustomize_file()).unwrap();
    assert!(committed == helm.kustomize_base().await.unwrap(), "{} differs: cargo xtask kustomize", helm.kustomize_file().display());
}
