//! Replicas that answer for each other, and one that dies: S3 is the truth, on whatever replica an image came.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use crate::support::stack::Stack;
use crate::support::{accepted, image, one};
use serde_json::Value;

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn one_replica_tells_of_what_another_took() {
    let stack = Stack::new().await;
    let (gateway, other) = (stack.gateway().await, stack.replica(1).await.gateway().await);
    let view = accepted(gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap()).await;
    let url = view["url"].as_str().unwrap();
    assert_eq!(other.json(url).await, view);
    assert_eq!(other.json("/v1/images").await["images"][0], view);
    let waiting = tokio::spawn(reqwest::get(other.url(&format!("{url}?wait=60"))));
    gateway.stop().await;
    // Announced to the replica that is gone.
    stack.answer(stack.next_job().await).await;
    let found: Value = waiting.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!((&found["result"], &found["id"]), (&"Paul".into(), &view["id"]));
    assert_eq!(other.json("/v1/images").await["images"][0], found);
    other.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn a_replica_that_was_killed_goes_on_with_its_reply_queue() {
    let stack = Stack::new().await;
    // The poll of the killed one may take the announcement along.
    stack.show_again_after(&stack.settings.reply_queue, 1).await;
    let gateway = stack.gateway().await;
    let view = accepted(gateway.post("/v1/images", one("f", "a.jpg", image("Paul"))).send().await.unwrap()).await;
    let job = stack.next_job().await;
    gateway.ended.abort();
    assert!(gateway.ended.await.unwrap_err().is_cancelled(), "it had no time to drain");
    stack.answer(job).await;

    let again = stack.gateway().await;
    let found = again.json(&format!("{}?wait=30", view["url"].as_str().unwrap())).await;
    assert_eq!((&found["result"], &found["id"]), (&"Paul".into(), &view["id"]));
    while stack.messages(&stack.settings.reply_queue).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    again.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn who_went_away_finds_the_result_in_the_list() {
    let stack = Stack::new().await;
    let gateway = stack.gateway().await;
    let upload = tokio::spawn(gateway.post("/upload", one("f", "a.jpg", image("Paul"))).send());
    let job = stack.next_job().await;
    upload.abort();
    stack.answer(job.clone()).await;
    let list = gateway.json("/v1/images").await;
    assert_eq!((&list["images"][0]["id"], &list["images"][0]["result"]), (&job.id.to_string().into(), &"Paul".into()));
    gateway.stop().await;
}
