//! An image in, its label out, for real: kube-apiserver and etcd, the operator, the gateway, workers that the operator launched.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashMap;

use futures::future::join_all;
use serde_json::{Value, json};
use support::{Photo, classify, fleet, instances, live, patch, photos, until, upload};
use xtask::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn an_image_in_its_label_out() {
    let stack = Stack::for_test("path", |_| {}).await.unwrap();
    queues_are_made(&stack).await;
    from_zero_and_back(&stack).await;
    // One that stays makes the rest quicker.
    patch(&stack, json!({"workers": {"min": 1, "max": 2}})).await;
    a_hundred_at_once(&stack).await;
    a_hundred_of_one_name(&stack).await;
    bad_images_get_clear_errors(&stack).await;
    ids_can_be_asked_for(&stack).await;
    people_see_what_goes_on(&stack).await;
    deletion_leaves_nothing(&stack).await;
    stack.stop().await.unwrap();
}

/// The request queue hides jobs as long as the fleet says and gives up on them as often as it says.
async fn queues_are_made(stack: &Stack) {
    let attributes = queue_attributes(stack, "imagenet-requests").await;
    assert_eq!(attributes["VisibilityTimeout"], "60");
    let redrive: Value = serde_json::from_str(attributes["RedrivePolicy"].as_str().unwrap()).unwrap();
    assert_eq!(redrive["maxReceiveCount"].to_string().trim_matches('"'), "3");
    assert_eq!(redrive["deadLetterTargetArn"], queue_attributes(stack, "imagenet-requests-dead").await["QueueArn"]);
    assert!(queue_attributes(stack, "imagenet-responses-0").await.is_object());
}

async fn queue_attributes(stack: &Stack, name: &str) -> Value {
    let sqs = &stack.endpoints().unwrap().sqs;
    let request = json!({"QueueUrl": format!("{sqs}/000000000000/{name}"), "AttributeNames": ["All"]});
    let call = reqwest::Client::new()
        .post(sqs)
        .header("x-amz-target", "AmazonSQS.GetQueueAttributes")
        .header("content-type", "application/x-amz-json-1.0");
    let answer: Value = call.body(request.to_string()).send().await.unwrap().json().await.unwrap();
    answer["Attributes"].clone()
}

/// No worker runs; 20 uploads launch some; all are gone again when the work is done.
async fn from_zero_and_back(stack: &Stack) {
    assert_eq!(instances(stack).await.len(), 0, "nobody launches without work");
    let url = stack.gateway_url().unwrap();
    let answers = join_all(photos(stack).into_iter().map(|photo| answer(url, "/upload", "file", photo.name.clone(), photo))).await;
    let right = answers.iter().filter(|(photo, answer)| answer["predictions"][0]["index"] == photo.class).count();
    assert!(right >= 18, "{right} of 20 are right at top 1; onnxruntime gets 18");
    for (photo, answer) in &answers {
        assert_eq!(answer["name"], photo.name.as_str());
        assert_eq!(answer["result"], answer["predictions"][0]["label"]);
    }
    assert!(!instances(stack).await.is_empty(), "a worker was launched for this");
    until("all workers are gone", async || live(stack).await.is_empty()).await;
    until("the status says so", async || fleet(stack, "{.status.workers.total}").await == "0").await;
}

async fn answer(url: &str, path: &str, field: &str, name: String, photo: Photo) -> (Photo, Value) {
    let answer = classify(url, path, field, &name, photo.bytes.clone()).await;
    (photo, answer)
}

/// Both field names and both paths that existing clients use, 100 connections each.
async fn a_hundred_at_once(stack: &Stack) {
    let url = stack.gateway_url().unwrap();
    for (field, path) in [("myfile", "/upload"), ("inputFile", "/")] {
        let hundred = photos(stack).into_iter().cycle().take(100);
        let answers = join_all(hundred.map(|photo| answer(url, path, field, photo.name.clone(), photo))).await;
        let alike = labels(&answers);
        assert_eq!((answers.len(), alike.len()), (100, 20), "{field} {path}: each photo has one label, wherever it was classified");
    }
}

/// The same name and other contents: each gets its own answer.
async fn a_hundred_of_one_name(stack: &Stack) {
    let url = stack.gateway_url().unwrap();
    let hundred = photos(stack).into_iter().cycle().take(100);
    let answers = join_all(hundred.map(|photo| answer(url, "/upload", "myfile", "test_00.jpg".to_owned(), photo))).await;
    assert!(answers.iter().all(|(_, answer)| answer["name"] == "test_00.jpg"));
    let right = answers.iter().filter(|(photo, answer)| answer["predictions"][0]["index"] == photo.class).count();
    assert!(right >= 90, "{right} of 100 have the label of their own image");
    assert_eq!(labels(&answers).len(), 20);
}

/// The label of each photo; fails when one photo got two.
fn labels(answers: &[(Photo, Value)]) -> HashMap<&str, &Value> {
    let mut labels = HashMap::new();
    for (photo, answer) in answers {
        let known = labels.entry(photo.name.as_str()).or_insert(&answer["result"]);
        assert_eq!(*known, &answer["result"], "{}", photo.name);
    }
    labels
}

async fn bad_images_get_clear_errors(stack: &Stack) {
    let url = stack.gateway_url().unwrap();
    let good = photos(stack).remove(0);
    let mut huge = vec![0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, b'I', b'H', b'D', b'R'];
    for length in [60_000u32, 60_000] {
        huge.extend(length.to_be_bytes());
    }
    huge.extend([8, 2, 0, 0, 0, 0x0f, 0xb0, 0xe2, 0x15]);
    huge.extend(b"\0\0\0\x04IDAT\x78\x9c\x63\x00");
    huge.extend(0xfe711684_u32.to_be_bytes());
    let table = [
        ("text.jpg", b"This is no photo.".to_vec(), 415, "JPEG"),
        ("empty.jpg", Vec::new(), 400, "empty"),
        ("large.jpg", vec![0xff; 100 * 1024 * 1024], 413, "bytes"),
        ("huge.png", huge, 422, "pixels"),
        ("cut.jpg", good.bytes[..good.bytes.len() / 2].to_vec(), 422, ""),
    ];
    for (name, bytes, status, word) in table {
        let answer = upload(url, "/upload", "myfile", name, bytes).await;
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{name}");
        let (got, problem): (_, Value) = (answer.status(), answer.json().await.unwrap());
        assert_eq!(got, status, "{name}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.len() > 20 && detail.contains(word), "{name}: {detail:?} is no help");
        let next = classify(url, "/upload", "myfile", &good.name, good.bytes.clone()).await;
        assert_eq!(next["predictions"][0]["index"], good.class, "the next good upload works");
    }
}

async fn ids_can_be_asked_for(stack: &Stack) {
    let url = stack.gateway_url().unwrap();
    let good = photos(stack).remove(0);
    let accepted = upload(url, "/v1/images", "file", &good.name, good.bytes).await;
    assert_eq!(accepted.status(), 202);
    let accepted: Value = accepted.json().await.unwrap();
    let place = format!("{url}{}?wait=30", accepted["images"][0]["url"].as_str().unwrap());
    let result: Value = reqwest::get(place).await.unwrap().json().await.unwrap();
    assert_eq!((&result["status"], &result["predictions"][0]["index"]), (&json!("Classified"), &json!(good.class)));
    let unknown = reqwest::get(format!("{url}/v1/images/0198c5f0-0000-7000-8000-000000000000")).await.unwrap();
    assert_eq!(unknown.status(), 404);
}

async fn people_see_what_goes_on(stack: &Stack) {
    // Once the scale-down window has passed, it is spec.workers.min that keeps the worker.
    until("min binds", async || fleet(stack, "{.status.decision.limitedBy}").await == "workers.min").await;
    until("the fleet is steady", async || stack.kubectl(&["get", "cfleet"]).await.unwrap().contains("Steady")).await;
    let table = stack.kubectl(&["get", "cfleet"]).await.unwrap();
    for column in ["DESIRED", "READY", "STARTING", "MIN", "MAX", "BACKLOG", "STATUS", "AGE"] {
        assert!(table.contains(column), "{table}");
    }
    let described = stack.kubectl(&["describe", "cfleet", "imagenet"]).await.unwrap();
    for word in ["Scaled", "Launched", "Draining", "From 0 to", "EC2 launched i-", "workers.min"] {
        assert!(described.contains(word), "{word} is missing:\n{described}");
    }
}

async fn deletion_leaves_nothing(stack: &Stack) {
    assert!(!live(stack).await.is_empty());
    stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=120s"]).await.unwrap();
    assert_eq!(live(stack).await.len(), 0, "a fleet that is gone has no instance");
    let left =
        async || stack.kubectl(&["get", "statefulsets,services", "-l", "classifierfleet.dev/fleet=imagenet", "-o", "name"]).await.unwrap();
    until("the gateway is gone too", async || left().await.trim().is_empty()).await;
}
