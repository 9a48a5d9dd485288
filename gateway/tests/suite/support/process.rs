//! The gateway as a process of its own, with its environment as the operator writes it and a fake behind it.

use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::fake::Fake;
use super::{client, image, one};

pub const OWNER: &str = r#"{"apiVersion":"classifierfleet.dev/v1alpha1","kind":"ClassifierFleet","name":"imagenet","uid":"u-1"}"#;

const KUBECONFIG: &str = r#"{"apiVersion":"v1","kind":"Config","current-context":"c","users":[{"name":"u","user":{}}],
    "contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"clusters":[{"name":"c","cluster":{"server":"URL"}}]}"#;

/// A gateway, which ends with this.
pub struct Process {
    pub address: SocketAddr,
    pub monitor: SocketAddr,
    child: Child,
    folder: tempfile::TempDir,
}

impl Process {
    /// Starts one; `settings` are added to its environment.
    pub async fn start(fake: &Fake, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (kubeconfig, spool) = (folder.path().join("kubeconfig"), folder.path().join("spool"));
        std::fs::write(&kubeconfig, KUBECONFIG.replace("URL", &fake.url())).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_classifierfleet-gateway"))
            .env_clear()
            .env("KUBECONFIG", kubeconfig)
            .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")])
            .env("AWS_ENDPOINT_URL", fake.url())
            .envs([("CLASSIFIERFLEET_LISTEN", "127.0.0.1:0"), ("CLASSIFIERFLEET_MONITOR_LISTEN", "127.0.0.1:0")])
            .envs([("CLASSIFIERFLEET_NAMESPACE", "default"), ("CLASSIFIERFLEET_FLEET", "imagenet")])
            .envs([("CLASSIFIERFLEET_REQUEST_QUEUE", "requests"), ("CLASSIFIERFLEET_REPLY_QUEUE", "responses-0")])
            .envs([("CLASSIFIERFLEET_INPUT_BUCKET", "in"), ("CLASSIFIERFLEET_OUTPUT_BUCKET", "out")])
            .envs([("CLASSIFIERFLEET_WAKE_LEASE", "imagenet-gateway-0"), ("CLASSIFIERFLEET_OWNER", OWNER), ("HOSTNAME", "pod-0")])
            .env("CLASSIFIERFLEET_SPOOL_DIR", spool)
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let said: serde_json::Value = loop {
            let line = log.next_line().await.unwrap().unwrap();
            if line.contains("monitor_address") {
                break serde_json::from_str(&line).unwrap();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let address = |name: &str| said[name].as_str().unwrap().parse().unwrap();
        Self { address: address("address"), monitor: address("monitor_address"), child, folder }
    }

    pub fn upload(&self) -> impl Future<Output = reqwest::Result<reqwest::Response>> + Send + 'static {
        client().post(self.url("/upload")).multipart(one("myfile", "a.jpg", image("Paul"))).send()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A metric with no labels but the fleet's.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = client().get(format!("http://{}/metrics", self.monitor)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("classifierfleet_gateway_{name}{{"))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// The most memory that it ever had resident, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Files in the folder for images that memory has no room for.
    pub fn spooled_files(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("spool")).unwrap().count()
    }
}
