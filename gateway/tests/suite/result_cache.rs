//! Answers kept for images of the same bytes, through real SQS and S3.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::support::stack::Stack;
use crate::support::{Running, accepted, image, one};
use reqwest::Response;
use serde_json::Value;

async fn caching(entries: u32) -> Stack {
    let mut stack = Stack::new().await;
    stack.settings.cache_entries = entries;
    stack
}

async fn upload(gateway: &Running, name: &str, label: &str) -> Response {
    gateway.post("/upload", one("f", name, image(label))).header("accept", "application/json").send().await.unwrap()
}

/// Uploads and returns whether the answer was known, and the answer.
async fn cached(gateway: &Running, name: &str, label: &str) -> (String, Value) {
    let response = upload(gateway, name, label).await;
    let said = response.headers()["x-cache"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["result"], label, "{body}");
    (said, body)
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn the_same_bytes_are_answered_at_once_and_kept_like_others() {
    let stack = caching(10).await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let (said, first) = cached(&gateway, "a.jpg", "Paul").await;
    assert_eq!((said.as_str(), first.get("cached")), ("MISS", None));
    worker.abort();
    let _ = worker.await;

    let (said, second) = cached(&gateway, "b.jpg", "Paul").await;
    assert_eq!((said.as_str(), &second["cached"], &second["name"]), ("HIT", &true.into(), &"b.jpg".into()));
    assert_eq!((&second["worker"], &second["timings"]), (&first["worker"], &first["timings"]), "the work was the first one's");
    assert_ne!(second["id"], first["id"]);
    assert_eq!(gateway.json(second["url"].as_str().unwrap()).await, second);
    let (kind, bytes) = stack.object(&stack.settings.input_bucket, &format!("{}/b.jpg", second["id"].as_str().unwrap())).await.unwrap();
    assert_eq!((kind.as_str(), bytes), ("image/jpeg", image("Paul")));
    let view = accepted(gateway.post("/v1/images", one("f", "c.jpg", image("Paul"))).send().await.unwrap()).await;
    assert_eq!((&view["result"], &view["cached"]), (&"Paul".into(), &true.into()));
    assert_eq!(stack.messages(&stack.settings.request_queue).await, 0, "no job was sent");
    let list = gateway.json("/v1/images").await;
    assert_eq!(list["images"][0], view);
    gateway
        .until("/metrics", |_, text| {
            let count = |result: &str, n: u32| {
                text.contains(&format!("cache_requests_total{{fleet=\"imagenet\",namespace=\"default\",result=\"{result}\"}} {n}"))
            };
            count("hit", 2) && count("miss", 1)
        })
        .await;
    gateway.stop().await;
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn an_answer_of_an_older_revision_holds_no_longer() {
    let stack = caching(10).await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    assert_eq!(cached(&gateway, "a.jpg", "Paul").await.0, "MISS");
    assert_eq!(cached(&gateway, "a.jpg", "Paul").await.0, "HIT");
    *stack.revision.lock().unwrap() = "r2".to_owned();
    assert_eq!(cached(&gateway, "b.jpg", "Mary").await.0, "MISS");
    let (said, answer) = cached(&gateway, "a.jpg", "Paul").await;
    assert_eq!((said.as_str(), &answer["revision"]), ("MISS", &"r2".into()));
    assert_eq!(cached(&gateway, "a.jpg", "Paul").await.0, "HIT");
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn what_failed_is_tried_again_and_what_is_too_old_too() {
    let mut stack = caching(10).await;
    let worker = stack.worker();
    let gateway = stack.gateway().await;
    for _ in 0..2 {
        let failed = upload(&gateway, "a.jpg", "Corrupt!it is cut off").await;
        assert_eq!((failed.status().as_u16(), &failed.headers()["x-cache"]), (422, &"MISS".parse().unwrap()));
    }
    gateway.stop().await;
    stack.settings.cache_ttl_seconds = 0;
    let gateway = stack.gateway().await;
    for _ in 0..2 {
        assert_eq!(cached(&gateway, "a.jpg", "Paul").await.0, "MISS");
    }
    gateway.stop().await;
    worker.abort();
}

#[tokio::test]
#[ignore = "needs SQS and S3: cargo xtask test starts them"]
async fn without_a_cache_every_image_is_classified() {
    let stack = caching(0).await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    for _ in 0..2 {
        let answer = upload(&gateway, "a.jpg", "Paul").await;
        assert!(!answer.headers().contains_key("x-cache"));
        assert_eq!(answer.json::<Value>().await.unwrap().get("cached"), None);
    }
    gateway.stop().await;
    worker.abort();
}
