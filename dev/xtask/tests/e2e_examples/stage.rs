//! Where the examples run: a stack with both models, the example to apply, its client, its machines.

use std::fs;
use std::path::PathBuf;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::stack::{CloudDelays, Extent, Stack};

use crate::cluster::{Cluster, merged};
use crate::images::Images;
use crate::support::{aws, instances, until};

pub struct Stage {
    pub stack: Stack,
    pub cluster: Cluster,
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    paths: Paths,
}

/// Workers that do nothing, and hold what they have received, until they are let go on.
pub struct Frozen(Vec<Pid>);

/// Machines boot no further than this, until it is opened.
pub struct Gate(PathBuf);

impl Stage {
    pub async fn raise() -> Self {
        let stack = Stack::for_test("examples", |options| {
            options.extent = Extent::Operator;
            options.delays = CloudDelays { pending: 0.5, boot: 0.5, describe_lag: 0.3 };
        });
        let stack = stack.await.unwrap();
        let (s3, sqs) = aws::clients(&stack).await;
        stack.provide_model("s3://faces-models/face-recognition").await.unwrap();
        Self { cluster: Cluster::of(&stack).await, stack, s3, sqs, paths: Paths::discover().unwrap() }
    }

    /// The API server takes each file of `examples` as it stands.
    pub async fn every_example_is_taken(&self) {
        let folder = self.paths.root.join("examples");
        let taken = self.stack.kubectl(&["apply", "--dry-run=server", "-f", &folder.display().to_string()]).await.unwrap();
        assert_eq!(taken.lines().count(), fs::read_dir(folder).unwrap().count(), "{taken}");
    }

    /// Makes the fleet of an example, with `change` laid over its spec. Returns where its gateway takes uploads.
    pub async fn apply(&self, example: &str, change: Value) -> String {
        let file = self.paths.root.join(format!("examples/{example}.yaml")).display().to_string();
        let fleet = self.stack.kubectl(&["create", "--dry-run=client", "-o", "json", "-f", &file]).await.unwrap();
        let fleet = merged(&serde_json::from_str(&fleet).unwrap(), &json!({ "spec": change }));
        self.cluster.create("classifierfleets", "default", &fleet).await;
        self.cluster.gateway_url("default", &format!("{example}-gateway-0")).await
    }

    /// Ends a fleet; returns when EC2 has none of its machines.
    pub async fn delete(&self, example: &str) {
        self.cluster.delete("classifierfleets", "default", example).await;
        self.cluster.gone("classifierfleets", "default", example).await;
        assert_eq!(self.live(example).await.len(), 0);
    }

    /// Uploads all images at once, as this example's client does, which must find each answer right.
    pub async fn upload(&self, example: &str, url: &str, images: &Images) {
        let mut client = Command::new(self.stack.tools().python_program("python"));
        client.arg("-B").arg(self.paths.root.join("dev/xtask/tests/e2e_examples/clients.py")).args([example, url]);
        let output = client.arg(images.folder.path()).env("NO_PROXY", "*").kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{example}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.starts_with(&format!("{0} of {0} right", images.labels.len())), "{said}");
    }

    /// All machines that a fleet ever had.
    pub async fn machines(&self, fleet: &str) -> Vec<Value> {
        let of_fleet = |machine: &Value| machine["tags"]["classifierfleet:name"] == fleet;
        instances(&self.stack).await.into_iter().filter(of_fleet).collect()
    }

    /// Those that live.
    pub async fn live(&self, fleet: &str) -> Vec<Value> {
        let is_live = |machine: &Value| machine["state"] == "pending" || machine["state"] == "running";
        self.machines(fleet).await.into_iter().filter(is_live).collect()
    }

    /// Waits until so many live.
    pub async fn lives(&self, fleet: &str, count: usize) {
        until(&format!("{fleet} has {count} machines"), async || self.live(fleet).await.len() == count).await;
    }

    /// Freezes all workers there are.
    pub fn freeze(&self) -> Frozen {
        let processes = self.stack.supervisor().processes().into_iter();
        let workers = processes.filter(|process| process.command.starts_with("classifierfleet-worker"));
        let frozen: Vec<Pid> = workers.map(|process| Pid::from_raw(process.pid)).collect();
        frozen.iter().for_each(|pid| kill(*pid, Signal::SIGSTOP).unwrap());
        Frozen(frozen)
    }

    /// A gate for the machines of `fleet`.
    pub fn gate(&self, fleet: &str) -> Gate {
        Gate(self.stack.dir().join(format!("{fleet}-may-boot")))
    }
}

impl Frozen {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn thaw(self) {
        self.0.iter().for_each(|pid| kill(*pid, Signal::SIGCONT).unwrap());
    }
}

impl Gate {
    /// What machines do at the gate.
    pub fn user_data(&self) -> String {
        format!("until [ -e '{}' ]; do sleep 0.2; done", self.0.display())
    }

    pub fn open(&self) {
        fs::write(&self.0, "").unwrap();
    }
}
