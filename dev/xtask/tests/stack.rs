//! The local Kubernetes is a real one, pods are processes, and nothing is left behind.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use serde_json::{Value, json};
use xtask::pods::ImageBinary;
use xtask::process::of_stack;
use xtask::stack::{Extent, Stack};

/// A web server of one's own for each pod: it answers with the pod's name.
const SERVER: &str = r#"#!/usr/bin/env python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["NAME"].encode() + b" " + os.environ["AWS_ACCESS_KEY_ID"].encode())
http.server.HTTPServer((os.environ["IP"], 8080), Handler).serve_forever()
"#;

fn stateful_set(image: &str, replicas: u32) -> Value {
    let labels = json!({"app": "web", "app.kubernetes.io/part-of": "classifierfleet"});
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "web"},
        "spec": {
            "serviceName": "web", "replicas": replicas, "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"terminationGracePeriodSeconds": 5, "containers": [{
                    "name": "web", "image": image, "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [field("IP", "status.podIP"), field("NAME", "metadata.name")],
                    "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
                }]},
            },
        },
    })
}

async fn start(name: &str) -> Stack {
    let stack = Stack::for_test(name, |options| {
        options.extent = Extent::Kubernetes;
        options.images.push(ImageBinary::new("test/web", options.dir.join("web.py")));
    });
    let stack = stack.await.unwrap();
    let server = stack.dir().join("web.py");
    std::fs::write(&server, SERVER).unwrap();
    std::fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    stack
}

async fn apply(stack: &Stack, object: &Value) {
    let file = stack.dir().join("object.json");
    std::fs::write(&file, object.to_string()).unwrap();
    stack.kubectl(&["apply", "-f", file.to_str().unwrap()]).await.unwrap();
}

async fn address(stack: &Stack, pod: &str) -> String {
    stack.kubectl(&["get", "pod", pod, "-o", "jsonpath={.status.podIP}"]).await.unwrap()
}

async fn get(address: &str) -> reqwest::Result<String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    http.get(format!("http://{address}:8080/")).send().await?.text().await
}

fn web_servers(stack: &Stack) -> Vec<i32> {
    let processes = stack.supervisor().processes();
    // What runs the pods names the program too, behind the image.
    processes
        .iter()
        .filter(|process| process.command.ends_with("/web.py") && !process.command.contains("test/web="))
        .map(|process| process.pid)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test installs them"]
async fn pods_of_a_stateful_set_are_processes_of_their_own() {
    let stack = start("pods").await;
    let dir = stack.dir().to_path_buf();
    apply(&stack, &stateful_set("test/web:1", 2)).await;
    stack.kubectl(&["rollout", "status", "statefulset/web", "--timeout=60s"]).await.unwrap();
    let (first, second) = (address(&stack, "web-0").await, address(&stack, "web-1").await);
    assert!(first.starts_with("127.") && first != second, "{first} {second}");
    assert_eq!(get(&first).await.unwrap(), "web-0 test");
    assert_eq!(get(&second).await.unwrap(), "web-1 test");

    // A process that dies is started again, at the same address.
    let killed = web_servers(&stack);
    for pid in &killed {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    }
    let restarted = "--for=jsonpath={.status.containerStatuses[0].restartCount}=1";
    stack.kubectl(&["wait", "pod/web-0", "pod/web-1", restarted, "--timeout=60s"]).await.unwrap();
    stack.kubectl(&["rollout", "status", "statefulset/web", "--timeout=60s"]).await.unwrap();
    stack.kubectl(&["wait", "pod/web-0", "--for=condition=Ready", "--timeout=60s"]).await.unwrap();
    assert_eq!(get(&address(&stack, "web-0").await).await.unwrap(), "web-0 test");
    assert!(web_servers(&stack).iter().all(|pid| !killed.contains(pid)));

    // Deleted pods are gone only when their processes are.
    stack.kubectl(&["delete", "statefulset/web", "--cascade=foreground", "--timeout=60s"]).await.unwrap();
    assert_eq!(stack.kubectl(&["get", "pods", "-o", "name"]).await.unwrap(), "");
    assert_eq!(web_servers(&stack), Vec::<i32>::new());

    stack.stop().await.unwrap();
    assert_eq!(of_stack(&dir), Vec::new());
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test installs them"]
async fn what_cannot_run_says_so_and_a_dropped_stack_leaves_nothing() {
    let stack = start("refused").await;
    let dir = stack.dir().to_path_buf();
    apply(&stack, &stateful_set("test/unknown:1", 1)).await;
    let waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=CreateContainerConfigError";
    stack.kubectl(&["wait", "--for=create", "pod/web-0", "--timeout=60s"]).await.unwrap();
    stack.kubectl(&["wait", "pod/web-0", waiting, "--timeout=60s"]).await.unwrap();
    let message = "jsonpath={.status.containerStatuses[0].state.waiting.message}";
    let message = stack.kubectl(&["get", "pod", "web-0", "-o", message]).await.unwrap();
    assert!(message.contains("test/unknown:1") && message.contains("--image-binary"), "{message}");
    stack.kubectl(&["delete", "statefulset/web", "--cascade=foreground", "--timeout=60s"]).await.unwrap();

    // What is not understood by the API server is told in kubectl's words.
    let error = stack.kubectl(&["get", "nonsense"]).await.unwrap_err().to_string();
    assert!(error.contains("nonsense"), "{error}");
    drop(stack);
    assert_eq!(of_stack(&dir), Vec::new());
    std::fs::remove_dir_all(dir).unwrap();
}
