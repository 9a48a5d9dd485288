//! Owns what the cases run against: a cloudsim of one's own, or moto wiped clean.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::Instance;
use cloudsim::host::{Host, Options};
use cloudsim::state::Settings;
use jiff::SignedDuration;

/// One of moto's own images, so that both sides know it.
pub(crate) const IMAGE: &str = "ami-03cf127a";
/// Generous: a loaded machine is slow, a passing test never waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

/// An EC2 to ask.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) ec2: Client,
}

impl Backend {
    /// moto, without anything left of earlier cases.
    pub(crate) async fn moto() -> Self {
        let url = std::env::var("CLASSIFIERFLEET_MOTO_URL").expect("CLASSIFIERFLEET_MOTO_URL names a running moto server");
        let reset = format!("{}/moto-api/reset", url.trim_end_matches('/'));
        reqwest::Client::new().post(reset).send().await.unwrap().error_for_status().unwrap();
        Self { ec2: client(&url) }
    }

    /// The instances of a launch as DescribeInstances has them now.
    pub(crate) async fn instance(&self, id: &str) -> Instance {
        let answer = self.ec2.describe_instances().instance_ids(id).send().await.unwrap();
        answer.reservations()[0].instances()[0].clone()
    }

    /// Waits until the instance is in this state.
    pub(crate) async fn wait_for_state(&self, id: &str, state: &str) {
        wait_until(&format!("{id} is {state}"), || async { self.instance(id).await.state().unwrap().name().unwrap().as_str() == state })
            .await;
    }
}

/// A cloudsim in this process, with a folder of its own.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) host: Host,
    pub(crate) ec2: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl Lab {
    /// One that makes instances run at once.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// One with other options.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            state_dir: folder.path().join("state"),
            images: BTreeMap::from([(IMAGE.to_owned(), folder.path().join("image"))]),
            settings: Settings { pending_delay: SignedDuration::ZERO, seed: rand_seed(), ..Settings::default() },
            latency: Duration::ZERO,
            shutdown_grace: Duration::from_secs(10),
            user_data_every_boot: true,
            program: PathBuf::from(env!("CARGO_BIN_EXE_cloudsim")),
        };
        change(&mut options);
        let host = Host::start(options).await.unwrap();
        Self { ec2: client(&host.url), host, folder }
    }

    pub(crate) fn backend(&self) -> Backend {
        Backend { ec2: self.ec2.clone() }
    }

    /// An answer of the control API.
    pub(crate) async fn admin(&self, path: &str) -> serde_json::Value {
        reqwest::get(format!("{}/_cloudsim/{path}", self.host.url)).await.unwrap().json().await.unwrap()
    }

    /// Arms faults or a capacity.
    pub(crate) async fn arm(&self, order: serde_json::Value) {
        let request = reqwest::Client::new().post(format!("{}/_cloudsim/faults", self.host.url)).json(&order);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// An order to the control API; the status of its answer.
    pub(crate) async fn order(&self, method: reqwest::Method, path: &str, order: serde_json::Value) -> u16 {
        let request = reqwest::Client::new().request(method, format!("{}/_cloudsim/{path}", self.host.url)).json(&order);
        request.send().await.unwrap().status().as_u16()
    }

    /// A file in the instance's folder, once it is there and has this in it.
    pub(crate) async fn wait_for_file(&self, id: &str, name: &str, part: &str) -> String {
        let path = self.folder.path().join("state").join(id).join(name);
        wait_until(&format!("{} has {part:?}", path.display()), || async {
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains(part))
        })
        .await;
        std::fs::read_to_string(&path).unwrap()
    }

    pub(crate) async fn stop(self) {
        self.host.shutdown().await;
    }
}

fn rand_seed() -> u64 {
    u64::from(std::process::id())
}

fn client(url: &str) -> Client {
    let config = aws_sdk_ec2::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "conformance"))
        .retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// `OK`, the error's code, or the HTTP status of what is no EC2 answer at all.
pub(crate) fn code<T, E: ProvideErrorMetadata>(result: &Result<T, SdkError<E>>) -> String {
    let Err(error) = result else {
        return "OK".to_owned();
    };
    let status = || error.raw_response().map_or_else(|| "no answer".to_owned(), |raw| format!("HTTP {}", raw.status().as_u16()));
    error.code().map_or_else(status, str::to_owned)
}

/// Polls until `check` holds.
pub(crate) async fn wait_until<F: Future<Output = bool>>(what: &str, check: impl Fn() -> F) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < DEADLINE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
