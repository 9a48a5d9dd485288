//! Objects that somebody changed, deleted, or had before.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Stage;
use crate::gateway::{KINDS, is_made};

/// Without a watch the operator would look again after a minute.
const AT_ONCE: Duration = Duration::from_secs(30);

pub async fn is_put_right_at_once(stage: &Stage) {
    stage.apply("drifting", json!({})).await;
    is_made(stage, "drifting").await;
    stage.says("drifting", "GatewayReady", "True", "ReplicasReady").await;
    for kind in KINDS {
        let before = read(stage, kind).await.unwrap();
        stage.cluster.delete(kind, "default", "drifting-gateway").await;
        comes(stage, kind, "it is made again", |object| object["metadata"]["uid"] != before["metadata"]["uid"]).await;
    }
    let image = |set: &Value| set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let before = image(&read(stage, "statefulsets").await.unwrap());
    let other = json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "other:1"}]).to_string();
    stage.stack.kubectl(&["patch", "statefulset", "drifting-gateway", "--type=json", "-p", &other]).await.unwrap();
    comes(stage, "statefulsets", "it has its image again", |set| image(set) == before).await;
    let before = read(stage, "roles").await.unwrap()["rules"].clone();
    for rules in [json!([]), json!([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}])] {
        stage.cluster.patch("roles", "default", "drifting-gateway", json!({ "rules": rules })).await;
        comes(stage, "roles", "it has its rules again", |role| role["rules"] == before).await;
    }
    stage
        .cluster
        .patch("services", "default", "drifting-gateway", json!({"spec": {"selector": {"app.kubernetes.io/name": "elsewhere"}}}))
        .await;
    comes(stage, "services", "it selects the gateway again", |service| service["spec"]["selector"]["app.kubernetes.io/name"] == "gateway")
        .await;
    // What others add and the operator has no opinion on stays.
    stage.cluster.patch("services", "default", "drifting-gateway", json!({"metadata": {"annotations": {"note": "mine"}}})).await;
    stage.cluster.patch("services", "default", "drifting-gateway", json!({"spec": {"type": "NodePort"}})).await;
    let service = comes(stage, "services", "it is of its type again", |service| service["spec"]["type"] == "ClusterIP").await;
    assert_eq!(service["metadata"]["annotations"]["note"], "mine");
}

async fn read(stage: &Stage, kind: &str) -> Option<Value> {
    stage.cluster.get(kind, "default", "drifting-gateway").await
}

async fn comes(stage: &Stage, kind: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(object) = read(stage, kind).await.filter(&is) {
            return object;
        }
        assert!(begun.elapsed() < AT_ONCE, "{kind}: not within {AT_ONCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub async fn somebody_elses_service_is_not_stolen(stage: &Stage) {
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "stranger-gateway", "labels": {"app": "shop"}},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}]},
    });
    let theirs = stage.cluster.create("services", "default", &theirs).await;
    stage.apply("stranger", json!({"workers": {"min": 1}})).await;
    let message = stage.says("stranger", "GatewayReady", "False", "NameInUse").await;
    assert!(message.contains("Service stranger-gateway") && message.contains("left alone"), "{message}");
    // Its workers are no worse for it.
    stage.fleet("stranger", "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
    let now = stage.cluster.get("services", "default", "stranger-gateway").await.unwrap();
    assert_eq!(now, theirs);
    // Deleting the fleet does not take it along either.
    stage.delete("stranger").await;
    assert_eq!(stage.cluster.get("services", "default", "stranger-gateway").await.unwrap(), theirs);
    // Once the name is free, a fleet takes it.
    stage.apply("stranger", json!({})).await;
    stage.says("stranger", "GatewayReady", "False", "NameInUse").await;
    stage.cluster.delete("services", "default", "stranger-gateway").await;
    stage.says("stranger", "GatewayReady", "True", "ReplicasReady").await;
    let ours = stage.cluster.get("services", "default", "stranger-gateway").await.unwrap();
    assert_eq!(ours["metadata"]["ownerReferences"][0]["name"], "stranger");
}
