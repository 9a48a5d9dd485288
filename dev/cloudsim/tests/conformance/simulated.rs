//! Simulated guests, answers that take their time, and what a benchmark asks for, over HTTP.

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceStateName, ShutdownBehavior};
use cloudsim::state::Simulation;
use reqwest::Method;
use serde_json::json;

use crate::backend::{IMAGE, Lab, wait_until};
use crate::cases::{count, filter, ids, launch, tag};

#[tokio::test]
async fn simulated_guests_register_and_drain() {
    let lab = Lab::start_with(|options| options.settings.simulation = Some(Simulation::default())).await;
    let backend = lab.backend();
    let metadata = InstanceMetadataOptionsRequest::builder().instance_metadata_tags(InstanceMetadataTagsState::Enabled).build();
    let request = launch(&backend, 20).metadata_options(metadata).instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate);
    let ids = ids(request.send().await.unwrap().instances());
    let ready = filter("tag-key", &["classifierfleet:ready"]);
    wait_until("all are ready", || async { count(&backend, std::slice::from_ref(&ready)).await == 20 }).await;
    let registered = backend.instance(&ids[0]).await;
    let value: serde_json::Value = serde_json::from_str(registered.tags()[0].value().unwrap()).unwrap();
    assert!(value["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok() && value["model"].is_string(), "{value}");

    lab.ec2.create_tags().resources(&ids[3]).tags(tag("classifierfleet:intent", "drain")).send().await.unwrap();
    backend.wait_for_state(&ids[3], "terminated").await;
    let running = filter("instance-state-name", &["running"]);
    assert_eq!(count(&backend, &[running]).await, 19);
    assert_eq!(std::fs::read_dir(lab.folder.path().join("state")).unwrap().count(), 0, "no guest has a folder");

    lab.ec2.stop_instances().instance_ids(&ids[4]).send().await.unwrap();
    backend.wait_for_state(&ids[4], InstanceStateName::Stopped.as_str()).await;
    lab.stop().await;
}

#[tokio::test]
async fn the_control_api_breaks_images_of_simulated_guests_only() {
    let simulated = Lab::start_with(|options| options.settings.simulation = Some(Simulation::default())).await;
    assert_eq!(simulated.order(Method::PUT, "broken-images", json!([IMAGE])).await, 204);
    let processes = Lab::start().await;
    assert_eq!(processes.order(Method::PUT, "broken-images", json!([IMAGE])).await, 409);
    simulated.stop().await;
    processes.stop().await;
}

#[tokio::test]
async fn answers_are_held_back_but_what_is_asked_is_done() {
    let latency = Duration::from_millis(150);
    let lab = Lab::start_with(|options| options.latency = latency).await;
    let backend = lab.backend();
    let start = Instant::now();
    let answer = tokio::spawn(launch(&backend, 1).send());
    wait_until("the instance is there", || async { lab.admin("instances").await.as_array().unwrap().len() == 1 }).await;
    answer.await.unwrap().unwrap();
    assert!(start.elapsed() >= latency);
    lab.stop().await;
}

#[tokio::test]
async fn calls_are_counted_and_the_log_is_read_on() {
    let lab = Lab::start().await;
    let backend = lab.backend();
    lab.arm(json!({"action": "RunInstances", "code": "RequestLimitExceeded", "match": {"MaxCount": "2"}})).await;
    assert!(launch(&backend, 2).send().await.is_err());
    assert!(launch(&backend, 1).send().await.is_ok());
    count(&backend, &[]).await;
    let expected = json!({
        "total": 3,
        "throttled": 1,
        "byAction": {"DescribeInstances": 1, "RunInstances": 2},
        "byOutcome": {"DescribeInstances": {"OK": 1}, "RunInstances": {"OK": 1, "RequestLimitExceeded": 1}},
    });
    assert_eq!(lab.admin("calls").await, expected);
    let rest = lab.admin("log?since=2").await;
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["seq"], &rest[0]["action"]), (1, &json!(3), &json!("DescribeInstances")));
    assert_eq!(lab.admin("log").await.as_array().unwrap().len(), 3);
    assert_eq!(lab.order(Method::POST, "faults", json!({"capacity": {"small": 1}})).await, 400);
    lab.stop().await;
}
