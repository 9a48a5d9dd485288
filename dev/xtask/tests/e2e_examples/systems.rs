//! What each of the five systems did.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::cluster::condition;
use crate::images::Images;
use crate::stage::Stage;
use crate::support::{calls, until};

/// Plain labels, 100 threads; and the buckets by file name.
pub async fn names_of_faces(stage: &Stage) {
    let fleet = "faces";
    let url = stage.apply(fleet, json!({"workers": {"max": 4}})).await;
    let images = Images::faces(100);
    stage.upload(fleet, &url, &images).await;
    for (name, label) in images.labels.iter().take(3) {
        assert!(stage.s3.head_object().bucket("faces-in").key(name).send().await.is_ok(), "{name}");
        let key = name.trim_end_matches(".jpg");
        let answer = stage.s3.get_object().bucket("faces-out").key(key).send().await.unwrap();
        assert_eq!(answer.body.collect().await.unwrap().to_vec(), label.as_bytes(), "{key}");
    }
    stage.delete(fleet).await;
}

/// 12 images at 4 a worker are 3 workers: one is always on, and 2 are stopped afterwards and started for the next 12.
pub async fn stopped_workers_are_started_again(stage: &Stage) {
    let fleet = "restarted-workers";
    let url = stage.apply(fleet, json!({"scaling": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}}})).await;
    let at_rest = async |stopped: u32| {
        let is = |fleet: &Value| fleet["status"]["workers"]["ready"] == 1 && fleet["status"]["workers"]["stopped"] == stopped;
        stage.cluster.fleet("default", fleet, &format!("1 is ready, {stopped} are stopped"), is).await
    };
    at_rest(0).await;
    let images = Images::faces(12);
    let burst = async || {
        // Else it does the work before more are wanted.
        let busy = stage.freeze();
        assert_eq!(busy.count(), 1);
        let more_come = async {
            stage.lives(fleet, 3).await;
            busy.thaw();
        };
        tokio::join!(stage.upload(fleet, &url, &images), more_come);
    };
    burst().await;
    at_rest(2).await;
    assert_eq!(calls(&stage.stack, "StartInstances").await, 0);
    burst().await;
    assert_eq!(stage.machines(fleet).await.len(), 3, "nothing was launched the second time");
    assert!(calls(&stage.stack, "StartInstances").await > 0);
    stage.delete(fleet).await;
}

/// `/queueImage`: visible and in flight count alike, so there are as many workers as images, wherever these are.
pub async fn as_many_workers_as_images(stage: &Stage) {
    let (fleet, gate) = ("queue-image", stage.gate("queue-image"));
    let url = stage.apply(fleet, json!({"workers": {"template": {"userData": gate.user_data()}}})).await;
    let images = Images::photos(&stage.stack, 8);
    let all_come = async {
        stage.lives(fleet, 8).await;
        gate.open();
    };
    tokio::join!(stage.upload(fleet, &url, &images), all_come);
    assert_eq!(stage.machines(fleet).await.len(), 8);
    stage.delete(fleet).await;
}

/// Each launch is of one worker; at the cap people are told.
pub async fn one_worker_at_a_time_and_a_notice_at_the_cap(stage: &Stage) {
    let (fleet, gate) = ("one-at-a-time", stage.gate("one-at-a-time"));
    let policies = json!([{"type": "Pods", "value": 1, "periodSeconds": 3}]);
    let fewer_and_sooner = json!({
        "workers": {"max": 3, "template": {"userData": gate.user_data()}}, "scaling": {"behavior": {"scaleUp": {"policies": policies}}},
    });
    let url = stage.apply(fleet, fewer_and_sooner).await;
    let images = Images::faces(8);
    let notice = async {
        stage.lives(fleet, 1).await;
        let is_capped = |fleet: &Value| condition(fleet, "ScalingLimited") == ("True", "TooManyReplicas");
        stage.cluster.fleet("default", fleet, "the cap is told", is_capped).await;
        stage.lives(fleet, 3).await;
        gate.open();
    };
    tokio::join!(stage.upload(fleet, &url, &images), notice);
    let machines = stage.machines(fleet).await;
    let launches: BTreeSet<&str> = machines.iter().map(|machine| machine["clientToken"].as_str().unwrap()).collect();
    assert_eq!((machines.len(), launches.len()), (3, 3), "a launch for each");
    let events = ["get", "events", "--field-selector=involvedObject.name=one-at-a-time,reason=TooManyReplicas", "-o", "name"];
    until("there is an event", async || !stage.stack.kubectl(&events).await.unwrap().trim().is_empty()).await;
    let service = stage.cluster.get("services", "default", "one-at-a-time-gateway").await.unwrap();
    assert_eq!((&service["spec"]["type"], &service["spec"]["ports"][0]["port"]), (&json!("LoadBalancer"), &json!(8000)));
    stage.delete(fleet).await;
}

/// A FIFO queue, a worker for each image, the live page; and without an operator, workers that hear of no image end by themselves.
pub async fn workers_leave_by_themselves(stage: &Stage) {
    let (fleet, gate) = ("worker-per-image", stage.gate("worker-per-image"));
    let change = json!({"workers": {"idleShutdownSeconds": 5, "template": {"userData": gate.user_data()}}});
    let url = stage.apply(fleet, change).await;
    let queue = stage.sqs.get_queue_url().queue_name("worker-per-image-requests.fifo").send().await;
    assert!(queue.is_ok(), "{queue:?}");
    let images = Images::faces(8);
    let all_come = async {
        stage.lives(fleet, 8).await;
        gate.open();
    };
    let ((), (), told) = tokio::join!(stage.upload(fleet, &url, &images), all_come, labels_on_the_page(&url, images.labels.len()));
    assert_eq!(told, images.labels);
    stage.stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
    stage.lives(fleet, 0).await;
    let reasons: Vec<Value> = stage.machines(fleet).await.iter().map(|machine| machine["stateReason"].clone()).collect();
    assert_eq!(reasons, vec![json!("Client.InstanceInitiatedShutdown"); 8]);
}

/// What the page at `url` hears while it is open, until it has so many labels.
async fn labels_on_the_page(url: &str, count: usize) -> BTreeMap<String, String> {
    let page = reqwest::get(format!("{url}/")).await.unwrap();
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let events = reqwest::Client::new().get(format!("{url}/v1/events")).header("accept", "text/event-stream");
    let mut events = events.send().await.unwrap();
    let (mut text, mut labels) = (String::new(), BTreeMap::new());
    while labels.len() < count {
        text += std::str::from_utf8(&events.chunk().await.unwrap().expect("the page stays open")).unwrap();
        while let Some((line, rest)) = text.split_once('\n') {
            labels.extend(line.strip_prefix("data:").and_then(label));
            text = rest.to_owned();
        }
    }
    labels
}

/// Name and label of an event, if it tells a result.
fn label(data: &str) -> Option<(String, String)> {
    let event: Value = serde_json::from_str(data).ok()?;
    Some((event["name"].as_str()?.to_owned(), event["result"].as_str()?.to_owned()))
}
