//! A cloudsim of a test's own, whose guests are played.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use cloudsim::host::{Host, Options};
use cloudsim::state::{Settings, Simulation};
use ec2::{Ec2, Instance};
use jiff::SignedDuration;
use serde_json::Value;

use crate::{IMAGE, client, template, version};

/// A test waits this long for what has to happen; one that passes never does.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) struct Cloud {
    host: Host,
    _folder: tempfile::TempDir,
}

impl Cloud {
    pub(crate) async fn start(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let simulation = Some(Simulation::default());
        let mut settings =
            Settings { pending_delay: SignedDuration::ZERO, boot_delay: SignedDuration::from_hours(1), simulation, ..Settings::default() };
        change(&mut settings);
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            state_dir: folder.path().join("state"),
            images: BTreeMap::from([(IMAGE.to_owned(), folder.path().join("image"))]),
            settings,
            latency: Duration::ZERO,
            shutdown_grace: Duration::from_secs(1),
            user_data_every_boot: true,
            program: PathBuf::from("cloudsim"),
        };
        Self { host: Host::start(options).await.unwrap(), _folder: folder }
    }

    /// A cloud with a template of one revision.
    pub(crate) async fn with_template(change: impl FnOnce(&mut Settings)) -> Self {
        let cloud = Self::start(change).await;
        let version = ec2::TemplateVersion { stop_on_shutdown: true, ..version("r1") };
        cloud.client().ensure_template(&template(), &version).await.unwrap();
        cloud
    }

    pub(crate) fn url(&self) -> String {
        self.host.url.clone()
    }

    pub(crate) fn client(&self) -> Ec2 {
        client(&self.host.url).0
    }

    /// Parameters of all requests of this action so far.
    pub(crate) async fn asked(&self, action: &str) -> Vec<Value> {
        let log = self.get("log").await;
        let of_action = log.as_array().unwrap().iter().filter(|entry| entry["action"] == action);
        of_action.map(|entry| entry["params"].clone()).collect()
    }

    /// Outcomes of all requests of this action so far.
    pub(crate) async fn outcomes(&self, action: &str) -> Vec<String> {
        let log = self.get("log").await;
        let of_action = log.as_array().unwrap().iter().filter(|entry| entry["action"] == action);
        of_action.map(|entry| entry["outcome"].as_str().unwrap().to_owned()).collect()
    }

    /// An answer of the control API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        reqwest::get(format!("{}/_cloudsim/{path}", self.host.url)).await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: Value) {
        let request = reqwest::Client::new().put(format!("{}/_cloudsim/{path}", self.host.url)).json(&body);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    pub(crate) async fn post(&self, path: &str, body: Value) {
        let request = reqwest::Client::new().post(format!("{}/_cloudsim/{path}", self.host.url)).json(&body);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Waits until all instances of the launch `token` are as `check` wants them.
    pub(crate) async fn wait(&self, token: &str, check: impl Fn(&Instance) -> bool) {
        let ec2 = self.client();
        let all = async {
            while !ec2.instances_tagged("classifierfleet:token", token).await.unwrap().iter().all(&check) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, all).await.is_ok(), "the instances of {token} do not get there");
    }

    pub(crate) async fn stop(self) {
        self.host.shutdown().await;
    }
}
