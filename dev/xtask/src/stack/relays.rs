//! Relays between our programs and the servers of a stack: to write down what they ask AWS for, and to let single calls fail.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;

use super::aws::Endpoints;
use super::kubernetes::{self, Kubernetes};
use crate::relay::{Gate, Recorder, Relay, Service, Tap};

/// What the programs of a stack asked AWS for, in its folder.
pub(super) const RECORDING: &str = "requests.jsonl";

/// A relay to each AWS service.
#[derive(Debug)]
pub struct Relays {
    sqs: Relay,
    s3: Relay,
    ec2: Relay,
}

/// All ways of one operator to the world, through one gate.
#[derive(Debug)]
pub struct Lane {
    /// To AWS.
    pub aws: Relays,
    /// Counts the calls of all relays and interferes with them.
    pub gate: Arc<Gate>,
    kubernetes: Relay,
}

impl Relays {
    /// Relays to the services at `endpoints`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(endpoints: &Endpoints, tap: &Tap) -> Result<Self> {
        let Endpoints { sqs, s3, ec2 } = endpoints;
        Ok(Self {
            sqs: Relay::to_aws(Service::Sqs, sqs, tap.clone()).await?,
            s3: Relay::to_aws(Service::S3, s3, tap.clone()).await?,
            ec2: Relay::to_aws(Service::Ec2, ec2, tap.clone()).await?,
        })
    }

    /// Where clients reach the services through them.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints { sqs: self.sqs.url(), s3: self.s3.url(), ec2: self.ec2.url() }
    }
}

impl Lane {
    /// A lane to `endpoints` and `kubernetes`. What passes to AWS is written to `recording`.
    ///
    /// # Errors
    /// When no port is free, or the recording cannot be written.
    pub async fn start(kubernetes: &Kubernetes, endpoints: &Endpoints, recording: &Path) -> Result<Self> {
        let gate = Arc::new(Gate::default());
        let tap = Tap { recorder: Some(Recorder::append(recording)?), gate: Some(gate.clone()) };
        let aws = Relays::start(endpoints, &tap).await?;
        let config = kubernetes::config(&kubernetes.kubeconfig).await?;
        let kubernetes = Relay::to_kubernetes(config, Tap { recorder: None, gate: Some(gate.clone()) }).await?;
        Ok(Self { aws, gate, kubernetes })
    }

    /// Writes a kubeconfig that leads to the API server through the lane, and to `namespace` there. The credentials stay with
    /// the relay.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, file: &Path, namespace: &str) -> Result<()> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lane", "users": [],
            "clusters": [{"name": "lane", "cluster": {"server": self.kubernetes.url()}}],
            "contexts": [{"name": "lane", "context": {"cluster": "lane", "user": "", "namespace": namespace}}],
        });
        Ok(std::fs::write(file, format!("{config:#}\n"))?)
    }
}

/// Relays to `endpoints` that write down what passes, in the folder `dir`.
pub(super) async fn record(endpoints: &Endpoints, dir: &Path) -> Result<Relays> {
    let recorder = Recorder::append(&dir.join(RECORDING))?;
    Relays::start(endpoints, &Tap { recorder: Some(recorder), gate: None }).await
}
