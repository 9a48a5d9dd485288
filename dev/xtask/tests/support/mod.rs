//! What the end-to-end tests share: a stack of their own, EC2 as it really is, uploads.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod aws;
pub mod colours;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Client, Response};
use serde_json::Value;
pub use xtask::photos::Photo;
use xtask::stack::Stack;

/// Generous: a condition that does not come is a failure, one that comes late is not.
const PATIENCE: Duration = Duration::from_secs(120);

/// A tool that not every machine has. CI must have it; elsewhere what needs it is left out, and says so.
pub fn or_skip<T>(what: &str, tool: anyhow::Result<T>) -> Option<T> {
    match tool {
        Ok(tool) => Some(tool),
        Err(error) if std::env::var_os("CI").is_none() => {
            println!("skipped, not tested: {what}: {error:#}");
            None
        }
        Err(error) => panic!("cannot be tested: {what}: {error:#}"),
    }
}

/// An answer that is not what it should be, with the stack's logs at hand.
pub async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// All instances that EC2 ever launched, as its own state has them: no lag.
pub async fn instances(stack: &Stack) -> Vec<Value> {
    let url = format!("{}/_cloudsim/instances", stack.endpoints().unwrap().ec2);
    reqwest::get(url).await.unwrap().json().await.unwrap()
}

/// Ids of those that live.
pub async fn live(stack: &Stack) -> BTreeSet<String> {
    let is_live = |instance: &Value| matches!(instance["state"].as_str().unwrap(), "pending" | "running");
    instances(stack)
        .await
        .iter()
        .filter(|instance| is_live(instance))
        .map(|instance| instance["instanceId"].as_str().unwrap().to_owned())
        .collect()
}

/// Arms a fault of EC2.
pub async fn arm(stack: &Stack, fault: Value) {
    let url = format!("{}/_cloudsim/faults", stack.endpoints().unwrap().ec2);
    let answer = Client::new().post(url).json(&fault).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Disarms all faults, and takes all limits of capacity away.
pub async fn disarm(stack: &Stack) {
    let url = format!("{}/_cloudsim/faults", stack.endpoints().unwrap().ec2);
    assert!(Client::new().delete(url).send().await.unwrap().status().is_success());
}

/// Requests of one action that EC2 took.
pub async fn calls(stack: &Stack, action: &str) -> usize {
    let url = format!("{}/_cloudsim/log", stack.endpoints().unwrap().ec2);
    let log: Vec<Value> = reqwest::get(url).await.unwrap().json().await.unwrap();
    log.iter().filter(|entry| entry["action"] == action).count()
}

/// What kubectl reads at a JSONPath of the example fleet; empty once the fleet is gone.
pub async fn fleet(stack: &Stack, path: &str) -> String {
    stack.kubectl(&["get", "cfleet", "imagenet", "--ignore-not-found", "-o", &format!("jsonpath={path}")]).await.unwrap()
}

/// Changes the example fleet's spec.
pub async fn patch(stack: &Stack, spec: Value) {
    let patch = serde_json::json!({ "spec": spec }).to_string();
    stack.kubectl(&["patch", "cfleet", "imagenet", "--type", "merge", "-p", &patch]).await.unwrap();
}

/// The 20 photos, by name.
pub fn photos(stack: &Stack) -> Vec<Photo> {
    xtask::photos::load(&stack.tools().photos).unwrap()
}

/// One upload over a connection of its own, without a Content-Type for the part, as existing clients send it.
pub async fn upload(url: &str, path: &str, field: &str, name: &str, bytes: Vec<u8>) -> Response {
    let form = Form::new().part(field.to_owned(), Part::bytes(bytes).file_name(name.to_owned()));
    let client = Client::builder().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap();
    client.post(format!("{url}{path}")).header("accept", "application/json").multipart(form).send().await.unwrap()
}

/// Uploads until the answer is there, and returns its JSON.
pub async fn classify(url: &str, path: &str, field: &str, name: &str, bytes: Vec<u8>) -> Value {
    let answer = upload(url, path, field, name, bytes).await;
    let status = answer.status();
    let body = answer.text().await.unwrap();
    assert_eq!(status, 200, "{name}: {body}");
    serde_json::from_str(&body).unwrap()
}
