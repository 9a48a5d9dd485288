//! `kubectl fleet` against a real API server and operator: what it says is what they decided, and its errors help.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use cluster::{Cluster, small};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::stack::{CloudDelays, Extent, Guests, Stack};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn kubectl_fleet_says_what_the_operator_decided() {
    let stack = Stack::for_test("explain", |options| {
        options.extent = Extent::Aws;
        options.delays = CloudDelays { pending: 0.3, boot: 0.3, describe_lag: 0.3 };
        options.guests = Guests::Simulated { drain: 1.0 };
    });
    let stack = stack.await.unwrap();
    before_there_are_fleets(&stack).await;
    stack.define_fleets().await.unwrap();
    let cluster = Cluster::of(&stack).await;
    cluster.create("classifierfleets", "default", &small("imagenet", &json!({"workers": {"min": 2}}))).await;
    no_operator_yet(&stack).await;
    stack.spawn_operator("operator").await.unwrap();
    cluster.fleet("default", "imagenet", "2 workers are ready", |fleet| fleet["status"]["workers"]["ready"] == 2).await;
    the_decision_holds(&stack).await;
    names_are_suggested(&stack).await;
    tables_are_plain_in_a_pipe(&stack).await;
    workers_logs_are_elsewhere(&stack).await;
    kubectl_completes(&stack).await;
    a_changed_spec_is_told(&stack, &cluster).await;
    stack.stop().await.unwrap();
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

async fn fleet(stack: &Stack, arguments: &[&str], stdin: &str) -> Said {
    let mut command = Command::new(Paths::discover().unwrap().program("kubectl-fleet").unwrap());
    command.args(arguments).env("KUBECONFIG", stack.kubeconfig()).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end without having read all.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes()).await;
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

async fn before_there_are_fleets(stack: &Stack) {
    let Said { code, err, .. } = fleet(stack, &["status"], "").await;
    assert!(code == 1 && err.contains("knows no ClassifierFleets: install them"), "{err}");
}

async fn no_operator_yet(stack: &Stack) {
    let Said { code, out, .. } = fleet(stack, &["explain", "imagenet"], "").await;
    assert!(code == 0 && out.contains("the operator has not seen this fleet"), "{out}");
}

async fn the_decision_holds(stack: &Stack) {
    let Said { code, out, err } = fleet(stack, &["explain", "imagenet"], "").await;
    assert_eq!(code, 0, "{out} {err}");
    assert!(out.starts_with("default/imagenet: 2 workers wanted; 2 ready"), "{out}");
    assert!(out.contains("workers.min makes that 2.") && out.contains("it agrees"), "{out}");
    let Said { out, .. } = fleet(stack, &["explain", "imagenet", "-o", "json"], "").await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["recomputed"]["desired"], &json["desired"]), (&json!(2), &json!(2)));
    // What is saved reads the same elsewhere.
    let saved = stack.kubectl(&["get", "cfleet", "imagenet", "-o", "yaml"]).await.unwrap();
    let Said { code, out, err } = fleet(stack, &["explain", "-f", "-"], &saved).await;
    assert!(code == 0 && out.contains("it agrees"), "{out} {err}");
    let Said { code, out, err } = fleet(stack, &["explain", "-f", "-", "--backlog", "23"], &saved).await;
    assert!(code == 0 && out.contains("5 workers would be wanted"), "{out} {err}");
}

async fn names_are_suggested(stack: &Stack) {
    let Said { code, err, .. } = fleet(stack, &["explain", "imagnet"], "").await;
    assert!(code == 1 && err.contains("did you mean imagenet?"), "{err}");
    let Said { code, err, .. } = fleet(stack, &["status", "imagenet", "-n", "kube-system"], "").await;
    assert!(code == 1 && err.contains("there is one in default: add -n default"), "{err}");
}

async fn tables_are_plain_in_a_pipe(stack: &Stack) {
    let Said { code, out, .. } = fleet(stack, &["status", "-A"], "").await;
    let lines: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((code, lines.len()), (0, 2), "{out}");
    assert_eq!(
        (lines[0][..5].join(" "), lines[1][..2].join(" ")),
        ("NAMESPACE NAME STATE WANTED READY".to_owned(), "default imagenet".to_owned())
    );
    assert_eq!(&lines[1][3..5], ["2", "2"], "{out}");
}

/// Here the operator is no pod, and there is no gateway.
async fn workers_logs_are_elsewhere(stack: &Stack) {
    let Said { code, out, err } = fleet(stack, &["logs", "imagenet"], "").await;
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("there is no pod of the operator") && !err.contains("gateway"), "{err}");
    let uid = stack.kubectl(&["get", "cfleet", "imagenet", "-o", "jsonpath={.metadata.uid}"]).await.unwrap();
    assert!(err.contains(&format!("--filters Name=tag:classifierfleet:uid,Values={uid} ")), "{err}");
    let Said { code, err, .. } = fleet(stack, &["logs", "imagnet"], "").await;
    assert!(code == 1 && err.contains("did you mean imagenet?"), "{err}");
}

/// As a shell asks it when Tab is pressed.
async fn kubectl_completes(stack: &Stack) {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("kubectl_complete-fleet");
    std::fs::write(&script, fleet(stack, &["completions", "kubectl"], "").await.out).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = [folder.path().to_owned(), Paths::discover().unwrap().program("kubectl-fleet").unwrap().with_file_name("")];
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).unwrap();
    for (typed, completed) in [(["fleet", "explain", "im"], "imagenet\n:4\n"), (["fleet", "logs", "--jo"], "--job\t")] {
        let mut kubectl = Command::new(stack.tools().kubernetes.join("kubectl"));
        kubectl.arg("__complete").args(typed).env("PATH", &path).env("KUBECONFIG", stack.kubeconfig()).kill_on_drop(true);
        let answer = String::from_utf8(kubectl.output().await.unwrap().stdout).unwrap();
        assert!(answer.starts_with(completed), "{typed:?}: {answer}");
    }
}

async fn a_changed_spec_is_told(stack: &Stack, cluster: &Cluster) {
    stack.kill_operator("operator", Signal::SIGTERM).await.unwrap();
    cluster.respec("default", "imagenet", json!({"workers": {"min": 3}})).await;
    let Said { code, out, err } = fleet(stack, &["explain", "imagenet"], "").await;
    assert_eq!(code, 0, "{out} {err}");
    assert!(out.contains("makes 3 of these inputs") && out.contains("The spec has changed since"), "{out}");
}
