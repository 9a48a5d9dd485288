//! Whatever happens while a fleet is scaled up, it ends with the wanted number of instances: none doubled, none leaked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::HashSet;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;
use support::{arm, calls, disarm, fleet, instances, live, patch, until};
use tokio::time::sleep;
use xtask::stack::{CloudDelays, Extent, OperatorOptions, Stack};

/// EC2 whose lists lag behind its launches, as the real one's do.
async fn stack(name: &str) -> Stack {
    let lagging = CloudDelays { pending: 2.0, boot: 0.5, describe_lag: 4.0 };
    let stack = Stack::for_test(name, |options| {
        options.extent = Extent::Fleet;
        options.delays = lagging;
        options.operator_args = vec!["--offering-closed-seconds=5".to_owned()];
    });
    stack.await.unwrap()
}

/// The fleet has so many ready workers, EC2 has launched no others, and it stays so.
async fn has_launched_exactly(stack: &Stack, count: usize) {
    until(&format!("{count} workers are ready"), async || fleet(stack, "{.status.workers.ready}").await == count.to_string()).await;
    // Longer than EC2's lists lag: a launch made on old news would show by now.
    sleep(Duration::from_secs(8)).await;
    assert_eq!(live(stack).await.len(), count);
    let all = instances(stack).await;
    let tokens: HashSet<_> = all.iter().map(|instance| instance["clientToken"].as_str().unwrap()).collect();
    assert_eq!(all.len(), count, "EC2 launched more than was wanted, under the tokens {tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn killed_operators_launch_nothing_twice() {
    let stack = stack("killed").await;
    patch(&stack, json!({"workers": {"min": 5}})).await;
    // Killed again and again while it scales up, each time a little later in its work.
    for milliseconds in [0, 30, 60, 120, 250, 500, 1000] {
        sleep(Duration::from_millis(milliseconds)).await;
        stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
        stack.spawn_operator("operator").await.unwrap();
    }
    has_launched_exactly(&stack, 5).await;
    scaled_by_hand(&stack, 2).await;
    the_template_was_deleted(&stack, 3).await;
    assert!(stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=120s"]).await.is_ok());
    assert_eq!(live(&stack).await.len(), 0);
    stack.stop().await.unwrap();
}

/// `kubectl scale` pins the number; the others leave by themselves, nobody terminates them.
async fn scaled_by_hand(stack: &Stack, replicas: usize) {
    patch(stack, json!({"workers": {"min": 0}})).await;
    stack.kubectl(&["scale", "cfleet", "imagenet", &format!("--replicas={replicas}")]).await.unwrap();
    until(&format!("{replicas} workers are left"), async || live(stack).await.len() == replicas).await;
    until("the status says so", async || fleet(stack, "{.status.workers.total}").await == replicas.to_string()).await;
    assert_eq!(calls(stack, "TerminateInstances").await, 0);
    let gone =
        instances(stack).await.into_iter().filter(|instance| instance["state"] == "terminated" || instance["state"] == "shutting-down");
    assert!(gone.into_iter().all(|instance| instance["stateReason"] == "Client.InstanceInitiatedShutdown"));
}

/// While no operator looked, and the next one takes the status' word for it until EC2 says otherwise.
async fn the_template_was_deleted(stack: &Stack, replicas: usize) {
    stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
    let template = format!("classifierfleet-{}", fleet(stack, "{.metadata.uid}").await);
    let form = [("Action", "DeleteLaunchTemplate"), ("Version", "2016-11-15"), ("LaunchTemplateName", &template)];
    let answer = reqwest::Client::new().post(&stack.endpoints().unwrap().ec2).form(&form).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let made = calls(stack, "CreateLaunchTemplate").await;
    stack.spawn_operator("operator").await.unwrap();
    stack.kubectl(&["scale", "cfleet", "imagenet", &format!("--replicas={replicas}")]).await.unwrap();
    until(&format!("{replicas} workers are ready"), async || fleet(stack, "{.status.workers.ready}").await == replicas.to_string()).await;
    assert_eq!(live(stack).await.len(), replicas);
    assert_eq!(calls(stack, "CreateLaunchTemplate").await, made + 1, "it is made again, once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn two_operators_at_once_launch_nothing_twice() {
    let stack = stack("two").await;
    // Two that both work, as when the first is cut off from its Lease and does not know it yet.
    let rival = OperatorOptions { args: vec!["--leader-elect=false".to_owned()], ..stack.operator_options("operator-2").unwrap() };
    stack.spawn_operator_with(&rival).await.unwrap();
    for (min, launched) in [(1, 1), (3, 3), (5, 5)] {
        patch(&stack, json!({"workers": {"min": min}})).await;
        has_launched_exactly(&stack, launched).await;
    }
    stack.kill_operator("operator", Signal::SIGKILL).await.unwrap();
    assert!(stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=120s"]).await.is_ok());
    assert_eq!(live(&stack).await.len(), 0);
    stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn lost_answers_and_refusals_end_in_the_wanted_number() {
    let stack = stack("faults").await;
    // EC2 launches, and its answers are lost until its list shows what it launched.
    arm(&stack, json!({"action": "RunInstances", "code": "InternalError", "times": null, "after": "after"})).await;
    patch(&stack, json!({"workers": {"min": 2}})).await;
    has_launched_exactly(&stack, 2).await;
    disarm(&stack).await;
    // EC2 has no room for a while: it is told why, and not asked without end.
    arm(&stack, json!({"capacity": {"t3.small": 2}})).await;
    let before = calls(&stack, "RunInstances").await;
    patch(&stack, json!({"workers": {"min": 3}})).await;
    let able = r#"{.status.conditions[?(@.type=="AbleToScale")].message}"#;
    until("the fleet says why", async || fleet(&stack, able).await.contains("InsufficientInstanceCapacity")).await;
    sleep(Duration::from_secs(10)).await;
    let asked = calls(&stack, "RunInstances").await - before;
    assert!(asked <= 12, "EC2 was asked {asked} times in 10 s although it has no room");
    arm(&stack, json!({"capacity": {"t3.small": 9}})).await;
    has_launched_exactly(&stack, 3).await;
    // EC2 wants fewer calls. What it did not do is asked for again, with pauses.
    arm(&stack, json!({"action": "RunInstances", "code": "RequestLimitExceeded", "times": 4})).await;
    let before = calls(&stack, "RunInstances").await;
    patch(&stack, json!({"workers": {"min": 4}})).await;
    has_launched_exactly(&stack, 4).await;
    assert_eq!(calls(&stack, "RunInstances").await - before, 5, "four are throttled, the fifth launches");
    stack.stop().await.unwrap();
}
