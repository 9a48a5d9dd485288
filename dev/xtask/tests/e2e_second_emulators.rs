//! What passes on MiniStack and cloudsim passes on other stand-ins for AWS too, as far as those go:
//! SQS and S3 of roto for the whole path, EC2 of moto for launches, roll-outs and removals of workers that never boot.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};
use support::{classify, fleet, live, patch, photos, until, upload};
use xtask::stack::{Cloud, Stack, Storage};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn images_are_classified_on_another_sqs_and_s3() {
    let stack = Stack::for_test("roto", |options| options.storage = Storage::Roto).await.unwrap();
    let url = stack.gateway_url().unwrap();
    let answers = join_all(photos(&stack).into_iter().map(|photo| async move {
        let answer = classify(url, "/upload", "myfile", &photo.name, photo.bytes).await;
        answer["predictions"][0]["index"] == photo.class
    }));
    let right = answers.await.into_iter().filter(|right| *right).count();
    assert!(right >= 18, "{right} of 20 are right at top 1; onnxruntime gets 18");
    results_can_be_asked_for(&stack).await;
    until("all workers are gone", async || live(&stack).await.is_empty()).await;
    stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=120s"]).await.unwrap();
    stack.stop().await.unwrap();
}

/// S3 is searched by the id's prefix, and says in its own words that there is nothing.
async fn results_can_be_asked_for(stack: &Stack) {
    let url = stack.gateway_url().unwrap();
    let photo = photos(stack).remove(0);
    let accepted: Value = upload(url, "/v1/images", "file", &photo.name, photo.bytes).await.json().await.unwrap();
    let place = format!("{url}{}?wait=60", accepted["images"][0]["url"].as_str().unwrap());
    let result: Value = reqwest::get(place).await.unwrap().json().await.unwrap();
    assert_eq!((&result["status"], &result["predictions"][0]["index"]), (&json!("Classified"), &json!(photo.class)));
    let unknown = reqwest::get(format!("{url}/v1/images/0198c5f0-0000-7000-8000-000000000000")).await.unwrap();
    assert_eq!(unknown.status(), 404);
}

/// moto's instances run nothing, so that no worker ever says that it is ready or leaves by itself; it honours no ClientToken, so that
/// nothing is interrupted here. It launches MinCount instances where EC2 launches up to MaxCount: that reads as an EC2 without room
/// for more, which is asked again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn workers_are_launched_and_ended_on_another_ec2() {
    let stack = Stack::for_test("moto", |options| {
        (options.storage, options.cloud) = (Storage::Roto, Cloud::Moto);
        options.operator_args = vec!["--offering-closed-seconds=2".to_owned()];
    });
    let stack = stack.await.unwrap();
    patch(&stack, json!({"workers": {"min": 2, "drainTimeoutSeconds": 5}})).await;
    until("2 workers start", async || fleet(&stack, "{.status.workers.starting}").await == "2").await;
    assert_eq!(states(&stack).await, BTreeMap::from([("running".to_owned(), 2)]));
    patch(&stack, json!({"workers": {"min": 0}})).await;
    until("both were ended", async || fleet(&stack, "{.status.workers.total}").await == "0").await;
    assert_eq!(states(&stack).await, BTreeMap::from([("terminated".to_owned(), 2)]));
    // Another revision: a second version of the launch template.
    patch(&stack, json!({"workers": {"min": 1, "template": {"keyName": "other"}}})).await;
    until("a worker of the new revision starts", async || fleet(&stack, "{.status.workers.starting}").await == "1").await;
    stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=120s"]).await.unwrap();
    assert_eq!(states(&stack).await, BTreeMap::from([("terminated".to_owned(), 3)]));
    stack.stop().await.unwrap();
}

/// How many instances moto has in each state, as it tells itself.
async fn states(stack: &Stack) -> BTreeMap<String, usize> {
    let url = format!("{}/moto-api/data.json", stack.endpoints().unwrap().ec2);
    let data: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let instances = data["ec2"]["Instance"].as_array().cloned().unwrap_or_default();
    instances.iter().fold(BTreeMap::new(), |mut states, instance| {
        *states.entry(instance["state"].as_str().unwrap_or("unknown").to_owned()).or_default() += 1;
        states
    })
}
