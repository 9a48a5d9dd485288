//! A machine image with nothing of ours: its instances fetch the worker's program from S3, and start none but the right one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::path::Path;

use aws_sdk_s3::primitives::ByteStream;
use cluster::{Cluster, small};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{live, until};
use xtask::paths::Paths;
use xtask::stack::{CloudDelays, Extent, Stack};

/// The stack's image without a worker.
const STOCK: &str = "ami-0123456789abcdef9";
const KEY: &str = "programs/0.1.0/classifierfleet-worker";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn workers_of_a_stock_image_fetch_their_program() {
    let stack = Stack::for_test("stock", |options| {
        options.extent = Extent::Operator;
        options.delays = CloudDelays { pending: 0.2, boot: 0.2, describe_lag: 0.2 };
    });
    let stack = stack.await.unwrap();
    let sha256 = publish(&stack).await;
    let cluster = Cluster::of(&stack).await;
    cluster.create("classifierfleets", "default", &fleet("stock", &sha256)).await;
    cluster.create("classifierfleets", "default", &fleet("another", &"0".repeat(64))).await;
    cluster.fleet("default", "stock", "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
    let refused = format!("its SHA-256 is {sha256} and should be {}", "0".repeat(64));
    until("another program is not started", async || consoles(&stack).await.contains(&refused)).await;
    stack.stop().await.unwrap();
}

/// Puts a program into S3 that is the built worker under another name; returns its SHA-256.
async fn publish(stack: &Stack) -> String {
    let worker = Paths::discover().unwrap().program("classifierfleet-worker").unwrap();
    let program = format!("#!/bin/sh\nexec '{}'\n", worker.display());
    let (s3, _) = support::aws::clients(stack).await;
    let body = ByteStream::from(program.clone().into_bytes());
    s3.put_object().bucket("imagenet-models").key(KEY).body(body).send().await.unwrap();
    hex::encode(Sha256::digest(program))
}

fn fleet(name: &str, sha256: &str) -> Value {
    let binary = json!({"uri": format!("s3://imagenet-models/{KEY}"), "sha256": sha256});
    small(name, &json!({"workers": {"min": 1, "template": {"imageId": STOCK, "binary": binary}}}))
}

/// What all instances wrote to their consoles.
async fn consoles(stack: &Stack) -> String {
    let folder = |id: &String| stack.dir().join("state/cloudsim").join(id).join("console.log");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    live(stack).await.iter().map(|id| read(&folder(id))).collect()
}
