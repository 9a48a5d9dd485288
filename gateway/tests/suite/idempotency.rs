//! Requests that come again under one Idempotency-Key, through real SQS and S3: on any replica, after a crash anywhere.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::HashSet;

use crate::support::stack::Stack;
use crate::support::{Running, accepted, image, one, problem, settings, without_aws};
use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use wire::ObjectKeys;

fn keyed(gateway: &Running, path: &str, key: &str, form: Form) -> RequestBuilder {
    gateway.post(path, form).header("idempotency-key", key)
}

async fn submit(gateway: &Running, key: &str, name: &str, label: &str) -> Response {
    keyed(gateway, "/v1/images", key, one("f", name, image(label))).send().await.unwrap()
}

/// Where the claim to the first image of a request lies.
fn claim(key: &str) -> String {
    format!("idempotency/{}/0.json", hex::encode(Sha256::digest(key)))
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_request_that_comes_again_gets_its_ids_and_is_done_once() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let first = accepted(submit(&gateway, "one", "a.jpg", "Paul").await).await;
    let again = accepted(submit(&gateway, "one", "a.jpg", "Paul").await).await;
    assert_eq!((&first, &again["status"]), (&again, &"Pending".into()), "while it waits");
    stack.answer(stack.next_job().await).await;
    gateway.json(&format!("{}?wait=30", first["url"].as_str().unwrap())).await;

    let again = accepted(submit(&gateway, "one", "a.jpg", "Paul").await).await;
    assert_eq!((&again["id"], &again["result"]), (&first["id"], &"Paul".into()), "its result is there");
    // With quotation marks, as the draft has it, on the other path, and without anybody to classify it.
    let answer = keyed(&gateway, "/upload", "\"one\"", one("f", "a.jpg", image("Paul"))).send().await.unwrap();
    assert_eq!(answer.headers()["content-location"], first["url"].as_str().unwrap());
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "Paul".to_owned()));
    assert_eq!(stack.messages(&stack.settings.request_queue).await, 0, "one job was sent");

    let other = accepted(submit(&gateway, "two", "a.jpg", "Paul").await).await;
    assert_ne!(other["id"], first["id"]);
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_key_that_is_used_for_another_image_is_refused() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    accepted(submit(&gateway, "one", "a.jpg", "Paul").await).await;
    for (name, label) in [("a.jpg", "Mary"), ("b.jpg", "Paul")] {
        let refused = problem(submit(&gateway, "one", name, label).await, 422, "idempotency-key-reused").await;
        assert!(refused["detail"].as_str().unwrap().contains("\"a.jpg\""), "{refused}");
    }
    assert_eq!(stack.messages(&stack.settings.request_queue).await, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let gateway = without_aws(settings()).await;
    let long = "x".repeat(256);
    for key in ["", "two words", "caf\u{e9}", long.as_str()] {
        problem(submit(&gateway, key, "a.jpg", "Paul").await, 400, "idempotency-key-malformed").await;
    }
    let two = keyed(&gateway, "/upload", "one", one("f", "a.jpg", image("Paul"))).header("idempotency-key", "two");
    problem(two.send().await.unwrap(), 400, "idempotency-key-malformed").await;
    problem(submit(&gateway, "one", "a.jpg", "Paul").await, 503, "unavailable").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn of_many_at_once_on_two_replicas_one_wins_and_the_others_follow() {
    let stack = Stack::new().await;
    let (one_replica, other) = (stack.gateway().await, stack.replica(1).await.gateway().await);
    let worker = stack.worker();
    let requests = (0..20).map(|n| {
        let gateway = if n % 2 == 0 { &one_replica } else { &other };
        let request = keyed(gateway, "/upload", "one", one("f", "a.jpg", image("Paul"))).header("accept", "application/json");
        tokio::spawn(async move { request.send().await.unwrap().json::<Value>().await.unwrap() })
    });
    let mut ids = HashSet::new();
    for request in requests.collect::<Vec<_>>() {
        let answer = request.await.unwrap();
        assert_eq!(answer["result"], "Paul", "{answer}");
        ids.insert(answer["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 1);
    let list = one_replica.json("/v1/images").await;
    assert_eq!(list["images"].as_array().unwrap().len(), 1, "{list}");
    one_replica.stop().await;
    other.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_a_crash_left_undone_the_next_try_does() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let input = &stack.settings.input_bucket;
    let sha256 = hex::encode(Sha256::digest(image("Paul")));
    let keys = |id| ObjectKeys::new(id, "a.jpg");
    let left = async |key: &str, image_stored: bool| {
        let id = Uuid::now_v7();
        let body = json!({"id": id, "name": "a.jpg", "sha256": sha256}).to_string();
        stack.put(input, &claim(key), body.into_bytes()).await;
        if image_stored {
            stack.put(input, &keys(id).input, image("Paul")).await;
        }
        id
    };
    // Behind the claim, and behind the image.
    for (key, image_stored) in [("claimed", false), ("stored", true)] {
        let id = left(key, image_stored).await;
        let view = accepted(submit(&gateway, key, "a.jpg", "Paul").await).await;
        let job = stack.next_job().await;
        assert_eq!((job.id, stack.stored(&job).await), (id, image("Paul")), "{key}");
        assert_eq!(view["id"], id.to_string());
        stack.answer(job).await;
    }
    // Behind the result: nobody is asked again. Of an answer that was known the result is written first.
    for (key, image_stored) in [("answered", false), ("done", true)] {
        let id = left(key, image_stored).await;
        finish(&stack, id).await;
        let answer = keyed(&gateway, "/upload", key, one("f", "a.jpg", image("Paul"))).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "known".to_owned()));
        assert_eq!(stack.object(input, &keys(id).input).await.unwrap().1, image("Paul"));
    }
    gateway.stop().await;
}

/// Writes a result of `a.jpg`.
async fn finish(stack: &Stack, id: Uuid) {
    let job = json!({
        "id": id, "name": "a.jpg", "status": "Classified", "label": "known", "predictions": [], "model": {"name": "m", "version": "1"},
        "revision": "r", "worker": "i-0", "submittedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06Z",
        "timings": {"queueMs": 1.0, "fetchMs": 1.0, "decodeMs": 1.0, "inferMs": 1.0},
    });
    let key = ObjectKeys::new(id, "a.jpg").result;
    stack.put(&stack.settings.output_bucket, &key, job.to_string().into_bytes()).await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn another_replica_follows_and_waits_for_the_result() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let first = accepted(submit(&gateway, "one", "a.jpg", "Paul").await).await;
    let job = stack.next_job().await;
    // It cannot know whether the first one sent the job: it sends it again, under the same id.
    let other = stack.replica(1).await.gateway().await;
    let again = tokio::spawn(keyed(&other, "/upload", "one", one("f", "a.jpg", image("Paul"))).send());
    let twin = stack.next_job().await;
    assert_eq!((twin.id, twin.id.to_string().as_str()), (job.id, first["id"].as_str().unwrap()));
    stack.answer(twin).await;
    let answer = again.await.unwrap().unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "Paul".to_owned()));
    gateway.stop().await;
    other.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn of_a_request_with_many_images_each_keeps_its_id() {
    let stack = Stack::new().await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let form = |last: &str| {
        let names = ["A", "B", "B", last];
        names.iter().fold(Form::new(), |form, label| form.part("f", Part::bytes(image(label)).file_name("same.jpg")))
    };
    let post = async |last: &str| {
        let sent = keyed(&gateway, "/upload", "many", form(last)).header("accept", "application/json").send().await.unwrap();
        sent.json::<Value>().await.unwrap()
    };
    let (first, again) = (post("D").await, post("D").await);
    assert_eq!(first, again);
    let labels: Vec<_> = first.as_array().unwrap().iter().map(|image| image["result"].as_str().unwrap()).collect();
    assert_eq!(labels, ["A", "B", "B", "D"]);
    let ids: HashSet<_> = first.as_array().unwrap().iter().map(|image| image["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    let other = post("E").await;
    assert_eq!((&other["status"], &other["images"][3]["code"]), (&422.into(), &"idempotency-key-reused".into()), "{other}");
    gateway.stop().await;
    worker.abort();
}
