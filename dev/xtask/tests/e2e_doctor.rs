//! `kubectl fleet doctor` finds what is broken in a real cluster and stand-ins for AWS, and says what to do; of a fleet that is well it
//! says that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::cell::RefCell;

use aws_sdk_s3::primitives::ByteStream;
use cluster::{Cluster, condition, small};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::stack::{CloudDelays, Extent, Guests, Stack};

/// A subnet that EC2 does not have.
const NOWHERE: &str = "subnet-0badbadbadbadbad0";

/// A stack, and the fleets in it that are broken each in its own way.
struct Ward {
    stack: Stack,
    cluster: Cluster,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn the_doctor_finds_what_is_broken() {
    let ward = Ward::open().await;
    ward.says("none", 1, "knows no ClassifierFleets").await;
    ward.stack.define_fleets().await.unwrap();
    ward.admit("healthy", json!({})).await;
    ward.says("healthy", 1, "No operator has seen this fleet").await;
    ward.stack.spawn_operator("operator").await.unwrap();
    // Before `crowded`: whoever is first has the queue.
    ward.says("healthy", 0, "healthy: nothing is wrong").await;
    let fault = json!({"action": "RunInstances", "code": "InvalidSubnetID.NotFound", "times": null, "match": {"SubnetId": NOWHERE}});
    support::arm(&ward.stack, fault).await;
    for (name, spec) in [
        ("unmodelled", json!({"model": {"uri": "s3://imagenet-models/none"}})),
        ("incomplete", json!({"model": {"uri": "s3://imagenet-models/incomplete"}})),
        ("garbled", json!({"model": {"uri": "s3://imagenet-models/garbled"}})),
        ("crowded", json!({"queues": {"request": {"name": "healthy-requests"}}})),
        ("imageless", json!({"workers": {"min": 1, "template": {"imageId": "ami-00000000000000000"}}})),
        ("misplaced", json!({"workers": {"template": {"subnetIds": [NOWHERE]}}})),
        ("secretive", json!({"gateway": {"replicas": 1, "tokenSecret": {"name": "secretive-token"}}})),
        ("ambitious", json!({"workers": {"max": 1000}})),
        ("pinned", json!({"workers": {"replicas": 0}})),
        ("robbed", json!({})),
    ] {
        ward.admit(name, spec).await;
    }
    models_that_are_not_whole(&ward).await;
    what_the_operator_says(&ward).await;
    ward.says("secretive", 1, "The Secret secretive-token is missing").await;
    what_somebody_did(&ward).await;
    ward.stack.stop().await.unwrap();
}

async fn models_that_are_not_whole(ward: &Ward) {
    let manifest = br#"{"onnx": {"file": "network.onnx"}}"#.to_vec();
    for (folder, body) in [("incomplete", manifest), ("garbled", b"{".to_vec())] {
        let put = ward.s3.put_object().bucket("imagenet-models").key(format!("{folder}/model.json"));
        put.body(ByteStream::from(body)).send().await.unwrap();
    }
    ward.says("unmodelled", 1, "s3://imagenet-models/none/model.json is missing").await;
    ward.says("incomplete", 1, "s3://imagenet-models/incomplete/network.onnx is missing").await;
    ward.says("garbled", 1, "s3://imagenet-models/garbled/model.json is no JSON").await;
}

async fn what_the_operator_says(ward: &Ward) {
    ward.stands("crowded", "QueuesReady", ("False", "NameInUse")).await;
    ward.says("crowded", 1, "Name a queue or bucket of the fleet's own").await;
    ward.says("imageless", 1, "Mend what EC2 names").await;
    ward.says("misplaced", 1, "EC2 would not launch t3.small in subnet-0badbadbadbadbad0").await;
    ward.says("ambitious", 1, "room for 576 workers, and workers.max is 1000").await;
    ward.stands("pinned", "ScalingActive", ("False", "ReplicasSet")).await;
    ward.says("pinned", 1, "Remove spec.workers.replicas").await;
}

/// Things that were right once.
async fn what_somebody_did(ward: &Ward) {
    let url = async |name: &str| ward.sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    ward.sqs.send_message().queue_url(url("pinned-requests-dead").await).message_body("x").send().await.unwrap();
    ward.says("pinned", 1, "pinned-requests-dead holds 1 jobs that failed 3 times").await;
    ward.stack.kill_operator("operator", Signal::SIGTERM).await.unwrap();
    ward.sqs.delete_queue().queue_url(url("robbed-requests").await).send().await.unwrap();
    ward.says("robbed", 1, "robbed-requests is missing").await;
    ward.s3.delete_bucket().bucket("robbed-out").send().await.unwrap();
    ward.says("robbed", 1, "s3://robbed-out is missing").await;
    ward.cluster.respec("default", "healthy", json!({"workers": {"max": 6}})).await;
    ward.says("healthy", 1, "No operator has seen the last change of this fleet").await;
}

impl Ward {
    async fn open() -> Self {
        let stack = Stack::for_test("doctor", |options| {
            options.extent = Extent::Aws;
            options.delays = CloudDelays { pending: 0.3, boot: 0.3, describe_lag: 0.3 };
            options.guests = Guests::Simulated { drain: 0.1 };
        });
        let stack = stack.await.unwrap();
        let (s3, sqs) = support::aws::clients(&stack).await;
        Self { cluster: Cluster::of(&stack).await, stack, s3, sqs }
    }

    async fn admit(&self, name: &str, spec: Value) {
        self.cluster.create("classifierfleets", "default", &small(name, &spec)).await;
    }

    /// Waits until a condition of a fleet has this truth and reason.
    async fn stands(&self, name: &str, type_: &str, is: (&str, &str)) {
        self.cluster.fleet("default", name, &format!("{type_} is {is:?}"), |fleet| condition(fleet, type_) == is).await;
    }

    /// Waits until the doctor says this of the fleet, and leaves with this exit code.
    async fn says(&self, name: &str, code: i32, sentence: &str) {
        let before = RefCell::new(String::new());
        support::until(&format!("{name}: {sentence}"), async || {
            let (left, said) = self.examine(name).await;
            let is_said = left == code && said.contains(sentence);
            if before.replace(said.clone()) != said {
                println!("{said}");
            }
            is_said
        })
        .await;
    }

    /// Exit code and words.
    async fn examine(&self, name: &str) -> (i32, String) {
        let mut doctor = Command::new(Paths::discover().unwrap().program("kubectl-fleet").unwrap());
        doctor.args(["doctor", name]).env("KUBECONFIG", self.stack.kubeconfig()).envs(self.stack.endpoints().unwrap().env());
        let output = doctor.kill_on_drop(true).output().await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}
