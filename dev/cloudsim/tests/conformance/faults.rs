//! What can be made to go wrong: armed errors, lost answers, full zones, an eventually consistent listing. And the log of it.

use aws_sdk_ec2::types::{Instance, InstanceType};
use jiff::SignedDuration;
use serde_json::json;

use crate::backend::{Backend, Lab, code, wait_until};
use crate::cases::{count, ids, launch, launched};

#[tokio::test]
async fn an_error_before_leaves_nothing_done() {
    let lab = Lab::start().await;
    lab.arm(json!({"action": "RunInstances", "code": "RequestLimitExceeded", "times": 2})).await;
    let backend = lab.backend();
    for _ in 0..2 {
        let error = launch(&backend, 1).send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
    }
    assert_eq!(count(&backend, &[]).await, 0);
    assert_eq!(code(&launch(&backend, 1).send().await), "OK");
    lab.stop().await;
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_its_token() {
    for lost in ["InternalError", "Drop"] {
        let lab = Lab::start().await;
        lab.arm(json!({"action": "RunInstances", "code": lost, "after": "after"})).await;
        let backend = lab.backend();
        let request = || launch(&backend, 2).client_token("token-1").send();
        assert!(request().await.is_err());
        let found = request().await.unwrap();
        let logged = lab.admin("log").await;
        assert_eq!(logged[0]["instanceIds"], json!(ids(found.instances())), "{lost}");
        assert_eq!(logged[0]["outcome"], lost);
        assert_eq!(logged[0]["fault"], "after");
        assert_eq!(count(&backend, &[]).await, 2);
        lab.stop().await;
    }
}

#[tokio::test]
async fn capacity_bounds_what_is_launched() {
    let lab = Lab::start().await;
    let backend = lab.backend();
    lab.arm(json!({"capacity": {"t3.small": 2}})).await;
    let refused = launch(&backend, 3).send().await;
    assert_eq!(code(&refused), "InsufficientInstanceCapacity");
    assert_eq!(refused.unwrap_err().raw_response().unwrap().status().as_u16(), 500);
    let partly = launch(&backend, 1).max_count(5).send().await.unwrap();
    assert_eq!(partly.instances().len(), 2);
    assert_eq!(code(&launch(&backend, 1).send().await), "InsufficientInstanceCapacity");
    assert_eq!(code(&launch(&backend, 1).instance_type(InstanceType::T3Large).send().await), "OK");

    let id = ids(partly.instances()).remove(0);
    backend.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "terminated").await;
    assert_eq!(code(&launch(&backend, 1).send().await), "OK", "what is terminated makes room");
    lab.stop().await;
}

#[tokio::test]
async fn a_new_instance_is_listed_late() {
    let lab = Lab::start_with(|options| options.settings.describe_lag = SignedDuration::from_secs(3600)).await;
    let backend = lab.backend();
    let id = launched(&backend, 1).await.remove(0);
    assert_eq!(count(&backend, &[]).await, 0);
    let by_id = backend.ec2.describe_instances().instance_ids(&id).send().await;
    assert_eq!(code(&by_id), "InvalidInstanceID.NotFound");
    assert_eq!(lab.admin("instances").await[0]["instanceId"], json!(id));
    lab.stop().await;
}

#[tokio::test]
async fn a_listing_that_lags_catches_up() {
    let lab = Lab::start_with(|options| options.settings.describe_lag = SignedDuration::from_millis(50)).await;
    let backend = lab.backend();
    launched(&backend, 1).await;
    wait_until("the instance is listed", || async { count(&backend, &[]).await == 1 }).await;
    lab.stop().await;
}

#[tokio::test]
async fn pending_lasts_as_long_as_it_is_set() {
    let lab = Lab::start_with(|options| options.settings.pending_delay = SignedDuration::from_secs(3600)).await;
    let backend = lab.backend();
    let id = launched(&backend, 1).await.remove(0);
    assert_eq!(state(&backend.instance(&id).await), "pending");
    assert_eq!(code(&backend.ec2.stop_instances().instance_ids(&id).send().await), "IncorrectInstanceState");
    backend.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "terminated").await;
    lab.stop().await;
}

#[tokio::test]
async fn every_request_is_logged_with_its_outcome() {
    let lab = Lab::start().await;
    let backend = lab.backend();
    let id = launched(&backend, 1).await.remove(0);
    let _ = backend.ec2.describe_vpcs().send().await;
    let log = lab.admin("log").await;
    assert_eq!(log[0]["action"], "RunInstances");
    assert_eq!(log[0]["outcome"], "OK");
    assert_eq!(log[0]["params"]["MinCount"], "1");
    assert_eq!(log[0]["instanceIds"], json!([id]));
    assert_eq!(log[1]["action"], "DescribeVpcs");
    assert_eq!(log[1]["outcome"], "InvalidAction");
    let at: jiff::Timestamp = log[1]["at"].as_str().unwrap().parse().unwrap();
    assert!(at <= jiff::Timestamp::now());
    lab.stop().await;
}

#[tokio::test]
async fn throttling_can_be_switched_on_and_off() {
    let lab = Lab::start().await;
    let backend = lab.backend();
    let launches = async || {
        let calls = (0..20).map(|_| async { code(&launch(&backend, 1).send().await) });
        let codes = futures::future::join_all(calls).await;
        codes.iter().filter(|code| *code == "RequestLimitExceeded").count()
    };
    assert_eq!(launches().await, 0);
    assert_eq!(lab.order(reqwest::Method::PUT, "throttle", json!(true)).await, 204);
    assert!(launches().await > 0, "the bucket holds 5, and 2 come back in a second");
    assert_eq!(lab.order(reqwest::Method::PUT, "throttle", json!(false)).await, 204);
    assert_eq!(launches().await, 0);
    assert_eq!(lab.order(reqwest::Method::PUT, "throttle", json!("a little")).await, 400);
    lab.stop().await;
}

#[tokio::test]
async fn a_thousand_instances_are_listed_in_pages() {
    let lab = Lab::start_with(|options| options.settings.pending_delay = SignedDuration::from_secs(3600)).await;
    let backend: Backend = lab.backend();
    launched(&backend, 1000).await;
    let mut pages = lab.ec2.describe_instances().max_results(300).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().reservations().iter().map(|reservation| reservation.instances().len()).sum::<usize>());
    }
    assert_eq!(sizes, [300, 300, 300, 100]);
    lab.stop().await;
}

fn state(instance: &Instance) -> String {
    instance.state().unwrap().name().unwrap().to_string()
}
