//! The whole system as pods of a real node: the chart installed by Helm under the strictest Pod Security, a fleet whose gateways serve
//! through their Service, workers on cloudsim; and what happens to all nodes and pods one day.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod load;
mod release;
#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures::future::join_all;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use release::{NAMESPACE, Release, VERSION};
use serde_json::{Value, json};
use support::{Photo, classify, fleet, live, patch, photos, until};
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::stack::{Extent, Stack};

const GATEWAYS: [&str; 4] = ["statefulset/imagenet-gateway", "--namespace", "default", "--output"];
const OPERATORS: [&str; 4] = ["deployment/classifier-fleet", "--namespace", NAMESPACE, "--output"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools, root and namespaces: cargo xtask test looks for them"]
async fn nothing_is_lost_on_a_real_node() {
    let begun = Instant::now();
    let since = || begun.elapsed().as_secs_f64();
    let stack = Stack::for_test("pods", |options| {
        options.extent = Extent::Aws;
        options.node = true;
        // Other tests write down what the same programs ask for.
        options.record = false;
    });
    let stack = stack.await.unwrap();
    println!("node ready after {:.1} s", since());
    let release = Release::install(&stack).await;
    println!("operator ready after {:.1} s: two replicas, installed by Helm", since());
    let url = apply_fleet(&stack).await;
    println!("gateways ready after {:.1} s, at {url}", since());
    let photos = photos(&stack);
    assert_eq!(fleet(&stack, "{.status.workers.total}").await, "0");
    label(&url, &photos[0]).await;
    println!("first label after {:.1} s, of a fleet that had no worker", since());
    logs_are_read(&stack).await;
    let labels = labels(&url, &photos).await;
    patch(&stack, json!({"workers": {"min": 1}})).await;

    load::during("gateway killed", &url, &photos, &labels, kill_a_gateway(&stack)).await;
    load::during("leading operator deleted", &url, &photos, &labels, delete_the_leader(&stack)).await;
    load::during("node drained", &url, &photos, &labels, drain(&stack)).await;
    load::during("helm upgrade", &url, &photos, &labels, upgrade(&stack, &release)).await;

    stack.kubectl(&["delete", "cfleet", "imagenet", "--timeout=180s"]).await.unwrap();
    assert!(live(&stack).await.is_empty(), "a fleet that is gone has no instance");
    release.uninstall().await;
    end(stack).await;
    println!("all of it took {:.0} s", since());
}

/// Waits until both gateways are ready; returns where their Service is.
async fn apply_fleet(stack: &Stack) -> String {
    stack.kubectl(&["apply", "-f", "tests/e2e_pods/fleet.yaml"]).await.unwrap();
    until("both gateways are ready", async || ready(stack, &GATEWAYS).await == "2").await;
    let address = ["get", "service", "imagenet-gateway", "--output", "jsonpath={.spec.clusterIP}:{.spec.ports[0].port}"];
    format!("http://{}", stack.kubectl(&address).await.unwrap())
}

/// How many replicas are ready. There may be no such object yet.
async fn ready(stack: &Stack, what: &[&str]) -> String {
    stack.kubectl(&[&["get"], what, &["jsonpath={.status.readyReplicas}"]].concat()).await.unwrap_or_default()
}

/// Of all gateways and operators at once, by the plugin.
async fn logs_are_read(stack: &Stack) {
    let output = logs_of_the_fleet(stack).output().await.unwrap();
    let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{warned}");
    let holds = |pod: &str, what: &str| said.lines().any(|line| line.contains(pod) && line.contains(what));
    for (pod, what) in
        [(" imagenet-gateway-0 ", " listening "), (" imagenet-gateway-1 ", " listening "), (" classifier-fleet-", " EC2 launched i-")]
    {
        assert!(holds(pod, what), "{pod}:{what}: {said}");
    }
}

fn logs_of_the_fleet(stack: &Stack) -> Command {
    let mut plugin = Command::new(Paths::discover().unwrap().program("kubectl-fleet").unwrap());
    plugin.args(["logs", "imagenet", "--namespace", "default"]).env("KUBECONFIG", stack.kubeconfig()).kill_on_drop(true);
    plugin
}

/// What the model says of each photo; mostly it is right.
async fn labels(url: &str, photos: &[Photo]) -> Vec<Value> {
    let labels = join_all(photos.iter().map(|photo| label(url, photo))).await;
    let right = labels.iter().filter(|(_, is_right)| *is_right).count();
    assert!(right >= 18, "{right} of {} are right at top 1; onnxruntime gets 18", photos.len());
    labels.into_iter().map(|(label, _)| label).collect()
}

/// What the model says of a photo, and whether that is right.
async fn label(url: &str, Photo { name, class, bytes }: &Photo) -> (Value, bool) {
    let answer = classify(url, "/upload", "myfile", name, bytes.clone()).await;
    (answer["result"].clone(), answer["predictions"][0]["index"] == *class)
}

/// As for want of memory: without a word. kubelet starts it again, and who follows the log reads on.
async fn kill_a_gateway(stack: &Stack) {
    let followed = tempfile::NamedTempFile::new().unwrap();
    let mut follow = logs_of_the_fleet(stack);
    let _following = follow.args(["--follow", "--since", "1s"]).stdout(followed.reopen().unwrap()).spawn().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    kill(Pid::from_raw(gateway_process(stack)), Signal::SIGKILL).unwrap();
    let restarts = ["get", "pods", "--output", "jsonpath={.items[*].status.containerStatuses[*].restartCount}"];
    until("the gateway was started again", async || stack.kubectl(&restarts).await.unwrap().contains('1')).await;
    until("both gateways are ready", async || ready(stack, &GATEWAYS).await == "2").await;
    let beginnings = || std::fs::read_to_string(followed.path()).unwrap().matches(" listening ").count();
    until("the log that is followed has the new beginning", async || beginnings() > 0).await;
    assert_eq!(beginnings(), 1);
}

/// Of this stack's node: others may run on this machine too.
fn gateway_process(stack: &Stack) -> i32 {
    let cgroup = format!("/{}/", std::fs::read_to_string(stack.dir().join("run/node-cgroup")).unwrap());
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let read = |pid: i32, file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    // All images have the same entry point; a container's host is called as its pod.
    let mut gateways = pids.filter(|pid| {
        read(*pid, "cmdline").starts_with("/classifierfleet\0")
            && read(*pid, "environ").split('\0').any(|variable| variable.starts_with("HOSTNAME=") && variable.contains("-gateway-"))
            && read(*pid, "cgroup").contains(&cgroup)
    });
    gateways.next().expect("a gateway runs on the node")
}

/// The other replica goes on with its work, and a new one waits.
async fn delete_the_leader(stack: &Stack) {
    let leader = ["get", "lease", "classifierfleet-operator", "--namespace", NAMESPACE, "--output", "jsonpath={.spec.holderIdentity}"];
    let first = stack.kubectl(&leader).await.unwrap();
    stack.kubectl(&["delete", "pod", &first, "--namespace", NAMESPACE]).await.unwrap();
    until("another operator leads", async || !["", &first].contains(&stack.kubectl(&leader).await.unwrap().as_str())).await;
    patch(stack, json!({"workers": {"min": 2}})).await;
    until("the new leader launches", async || fleet(stack, "{.status.workers.ready}").await.parse().is_ok_and(|ready: u32| ready >= 2))
        .await;
    until("two operators are ready", async || ready(stack, &OPERATORS).await == "2").await;
}

/// On the only node, nothing that is evicted finds another place: one of each may go, the other is kept by its budget.
async fn drain(stack: &Stack) {
    let drain = ["drain", "node", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=40s"];
    let refusal = stack.kubectl(&drain).await.expect_err("the last replicas stay").to_string();
    assert!(refusal.contains("disruption budget"), "{refusal}");
    let left = [ready(stack, &GATEWAYS).await, ready(stack, &OPERATORS).await];
    assert_eq!(left, ["1", "1"], "one of each was evicted, and one is left");
    stack.kubectl(&["uncordon", "node"]).await.unwrap();
    until("both gateways are ready", async || ready(stack, &GATEWAYS).await == "2").await;
    until("both operators are ready", async || ready(stack, &OPERATORS).await == "2").await;
}

/// New images of operator and gateway.
async fn upgrade(stack: &Stack, release: &Release<'_>) {
    const NEXT: &str = "next";
    assert_ne!(NEXT, VERSION);
    release.upgrade(NEXT).await;
    let rolled_out = "jsonpath={.status.updatedReplicas} {.status.readyReplicas} {.spec.template.spec.containers[0].image}";
    for (name, what) in [("operator", OPERATORS), ("gateway", GATEWAYS)] {
        let replicas = [&["get"], &what[..], &[rolled_out]].concat();
        let expected = format!("2 2 classifierfleet/{name}:{NEXT}");
        until(&format!("both replicas of {name} are new"), async || stack.kubectl(&replicas).await.unwrap() == expected).await;
    }
    let log = stack.kubectl(&["logs", OPERATORS[0], "--namespace", NAMESPACE]).await.unwrap();
    assert!(!log.is_empty(), "the node hands out what its pods say");
}

/// Nothing of the node stays on the machine.
async fn end(stack: Stack) {
    let node = std::fs::read_to_string(stack.dir().join("run/node-cgroup")).unwrap();
    stack.stop().await.unwrap();
    let links = std::fs::read_to_string("/proc/net/dev").unwrap();
    assert!(!links.contains(&node), "{links}");
    let groups = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|hierarchy| hierarchy.path().join(&node));
    assert_eq!(groups.filter(|group| group.exists()).count(), 0, "its cgroups are gone");
    assert!(!std::fs::read_to_string("/proc/mounts").unwrap().contains("/containerd/"), "its mounts are gone");
}
