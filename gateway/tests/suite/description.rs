//! Whether the description of the API is one, and true: checked by openapi-spec-validator, and by schemathesis, which makes requests of it
//! that it allows, and others, and holds the answers against it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::support::stack::Stack;
use crate::support::{settings, without_aws};
use tokio::process::Command;

/// A program of the virtual environment that the tests have.
fn python_program(name: &str) -> PathBuf {
    let folder = std::env::var_os("CLASSIFIERFLEET_TEST_PYTHON");
    PathBuf::from(folder.expect("CLASSIFIERFLEET_TEST_PYTHON names a virtual environment, as cargo xtask test sets it"))
        .join("bin")
        .join(name)
}

/// Runs a program to its end, which must be a good one.
async fn succeeds(command: &mut Command) {
    let run = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(600), run).await.expect("it comes to its end").unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).join("\n");
    assert!(output.status.success(), "{said}");
}

#[tokio::test]
#[ignore = "needs Python tools: cargo xtask test installs them"]
async fn the_description_is_openapi_3_1() {
    let gateway = without_aws(settings()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, gateway.get("/openapi.json").await.bytes().await.unwrap()).unwrap();
    succeeds(Command::new(python_program("openapi-spec-validator")).args(["--schema", "3.1"]).arg(&file)).await;
    gateway.stop().await;
}

/// Not asked for: a stream that never ends, and what checks take for granted that this API does otherwise. A file of any field name is
/// taken, and parameters that nobody knows are ignored, so that requests can be "wrong" and succeed.
const LEFT_OUT: [&str; 4] = ["--exclude-path", "/v1/events", "--exclude-checks", "negative_data_rejection,positive_data_acceptance"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs SQS, S3 and Python tools: cargo xtask test has them"]
async fn every_answer_is_as_the_description_says() {
    let stack = Stack::new().await;
    let (gateway, worker) = (stack.gateway().await, stack.worker());
    let folder = tempfile::tempdir().unwrap();
    let mut schemathesis = Command::new(python_program("schemathesis"));
    schemathesis
        .args(["run", &gateway.url("/openapi.json"), "--max-examples", "40", "--seed", "1", "--request-timeout", "60", "--no-color"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--generation-database", "none"])
        .args(LEFT_OUT)
        .current_dir(folder.path());
    succeeds(&mut schemathesis).await;
    gateway.stop().await;
    worker.abort();
}
