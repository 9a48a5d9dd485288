//! The stack, and one fleet of it as a user changes it and as EC2, SQS, S3 and Kubernetes show it.

use std::collections::HashMap;

use hyper::Request;
use kube::Client;
use serde_json::{Value, json};
use xtask::stack::{CloudDelays, Extent, Guests, Stack};

use super::cluster::{Cluster, small};
use super::support;

/// Quick machines.
const QUICK: CloudDelays = CloudDelays { pending: 0.2, boot: 0.2, describe_lag: 0.2 };
/// Jobs that wait in each fleet's queue: nobody takes them.
pub const JOBS: u64 = 2;

/// What all fleets share.
pub struct Stage {
    pub stack: Stack,
    pub cluster: Cluster,
    pub client: Client,
    pub sqs: aws_sdk_sqs::Client,
    pub s3: aws_sdk_s3::Client,
}

impl Stage {
    pub async fn raise() -> Self {
        let stack = Stack::for_test("operations", |options| {
            options.extent = Extent::Operator;
            options.delays = QUICK;
            options.guests = Guests::Simulated { drain: 0.1 };
            options.operator_args = ["--sample-seconds=0.5", "--idle-sample-seconds=1"].map(str::to_owned).to_vec();
        });
        let stack = stack.await.unwrap();
        let (s3, sqs) = support::aws::clients(&stack).await;
        let client = stack.kubernetes().client().await.unwrap();
        let order = json!({"/operations/ami": "ami-0123456789abcdef1"});
        let url = format!("{}/_cloudsim/parameters", stack.endpoints().unwrap().ec2);
        assert!(reqwest::Client::new().put(url).json(&order).send().await.unwrap().status().is_success());
        Self { cluster: Cluster::of(&stack).await, client, stack, sqs, s3 }
    }

    /// Makes a fleet with jobs in its queue, a worker for each.
    pub async fn fleet(&self, name: &str) -> Fleet<'_> {
        let queue = super::sqs::Queue::of(&self.sqs, &format!("{name}-requests")).await;
        queue.send(usize::try_from(JOBS).unwrap()).await;
        self.cluster.create("classifierfleets", "default", &small(name, &base())).await;
        Fleet::of(self, name)
    }

    /// Settings of a queue.
    async fn queue(&self, name: &str) -> HashMap<String, String> {
        let Ok(found) = self.sqs.get_queue_url().queue_name(name).send().await else { return HashMap::new() };
        let answer = self.sqs.get_queue_attributes().set_queue_url(found.queue_url).attribute_names("All".into()).send().await.unwrap();
        answer.attributes.unwrap_or_default().into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect()
    }

    /// Days after which a bucket loses what is in it.
    async fn retention(&self, bucket: &str) -> Option<i32> {
        let rules = self.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await.ok()?;
        rules.rules().iter().find_map(|rule| rule.expiration()?.days())
    }
}

/// What each fleet begins with.
fn base() -> Value {
    json!({
        "workers": {"max": 4},
        "scaling": {"target": {"messagesPerWorker": 1}},
    })
}

/// One fleet.
pub struct Fleet<'a> {
    pub stage: &'a Stage,
    pub name: String,
    /// Its spec as it was made.
    pub base: Value,
}

/// A fleet and all that it made, at one time.
pub struct Seen {
    pub fleet: Value,
    pub instances: Vec<Value>,
    pub queue: HashMap<String, String>,
    pub retention: Option<i32>,
    pub set: Value,
    pub service: Value,
    pub account: Value,
}

impl<'a> Fleet<'a> {
    /// A fleet that was made before.
    pub fn of(stage: &'a Stage, name: &str) -> Self {
        Self { stage, name: name.to_owned(), base: small(name, &base())["spec"].clone() }
    }

    /// Changes the spec by a merge patch; the answer if that is refused.
    pub async fn change(&self, spec: &Value) -> Result<Value, String> {
        let url = format!("/apis/classifierfleet.dev/v1alpha1/namespaces/default/classifierfleets/{}?fieldValidation=Strict", self.name);
        let body = json!({ "spec": spec }).to_string().into_bytes();
        let request = Request::patch(url).header("content-type", "application/merge-patch+json").body(body).unwrap();
        self.stage.client.request(request).await.map_err(|error| error.to_string())
    }

    /// The fleet as the API server has it.
    pub async fn object(&self) -> Value {
        self.stage.cluster.get("classifierfleets", "default", &self.name).await.unwrap()
    }

    pub async fn see(&self) -> Seen {
        let gateway = format!("{}-gateway", self.name);
        let of = async |kind: &str| self.stage.cluster.get(kind, "default", &gateway).await.unwrap_or_default();
        let all = support::instances(&self.stage.stack).await;
        let ours = |instance: &Value| instance["tags"]["classifierfleet:name"] == self.name.as_str();
        Seen {
            fleet: self.object().await,
            instances: all.into_iter().filter(ours).collect(),
            queue: self.stage.queue(&format!("{}-requests", self.name)).await,
            retention: self.stage.retention(&format!("{}-in", self.name)).await,
            set: of("statefulsets").await,
            service: of("services").await,
            account: of("serviceaccounts").await,
        }
    }
}
