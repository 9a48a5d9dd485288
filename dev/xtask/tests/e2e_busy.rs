//! A worker that is busy with a job of half a minute is never killed: not by a scale-in, not by a roll-out, not by a deletion.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{calls, instances, until};
use uuid::Uuid;
use wire::Job;
use xtask::relay::{Call, Fault, Gate, Point, Relay, Service, Tap};
use xtask::stack::{Endpoints, Extent, OperatorOptions, Stack};

/// Each result is written so much later: longer would be a timeout of the SDK's.
const SLOW: Duration = Duration::from_secs(28);
const BUCKETS: [&str; 2] = ["busy-in", "busy-out"];

/// What happens to a fleet whose worker is busy.
const DISTURBANCES: [&str; 3] = ["scale-in", "roll-out", "deletion"];

fn fleet(name: &str) -> String {
    let [input, output] = BUCKETS;
    json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": name},
        "spec": {
            "queues": {"request": {"name": format!("{name}-requests")}, "response": {"name": format!("{name}-responses")}},
            "storage": {"inputBucket": input, "outputBucket": output},
            "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
            "workers": {
                "min": 0, "max": 2, "replicas": 1,
                "template": {"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"], "instanceProfile": "classifierfleet-worker"},
            },
            "gateway": {"replicas": 0},
        },
    })
    .to_string()
}

/// A stack whose operator and workers, but nobody else, write to S3 through a relay that can be slow.
async fn slow_stack() -> (Stack, Arc<Gate>, Relay) {
    let stack = Stack::for_test("busy", |options| options.extent = Extent::Aws).await.unwrap();
    let gate = Arc::new(Gate::default());
    let endpoints = stack.endpoints().unwrap().clone();
    let relay = Relay::to_aws(Service::S3, &endpoints.s3, Tap { gate: Some(gate.clone()), recorder: None }).await.unwrap();
    stack.define_fleets().await.unwrap();
    let endpoints = Endpoints { s3: relay.url(), ..endpoints };
    let operator = OperatorOptions { endpoints, ..stack.operator_options("operator").unwrap() };
    stack.spawn_operator_with(&operator).await.unwrap();
    (stack, gate, relay)
}

async fn status(stack: &Stack, name: &str, path: &str) -> String {
    stack.kubectl(&["get", "cfleet", name, "--ignore-not-found", "-o", &format!("jsonpath={path}")]).await.unwrap()
}

/// Puts a photo into S3 and a job for it into the fleet's queue; returns the key of the result.
async fn submit(stack: &Stack, name: &str) -> String {
    let (photo, id) = (&support::photos(stack)[0], Uuid::now_v7());
    let key = format!("{id}/photo.jpg");
    let (s3, sqs) = support::aws::clients(stack).await;
    s3.put_object().bucket(BUCKETS[0]).key(&key).body(ByteStream::from(photo.bytes.clone())).send().await.unwrap();
    let job = Job {
        id,
        name: "photo.jpg".to_owned(),
        bucket: BUCKETS[0].to_owned(),
        key: key.clone(),
        reply_to: format!("{name}-responses-0"),
        submitted_at: Timestamp::now(),
        traceparent: None,
        tracestate: None,
        by_name: false,
        image: None,
    };
    sqs.create_queue().queue_name(&job.reply_to).send().await.unwrap();
    let url = sqs.get_queue_url().queue_name(format!("{name}-requests")).send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(url).message_body(job.to_message(wire::SMALLEST_MESSAGE_LIMIT).unwrap()).send().await.unwrap();
    format!("{key}.json")
}

async fn disturb(stack: &Stack, how: &str) {
    match how {
        "scale-in" => drop(stack.kubectl(&["scale", "cfleet", how, "--replicas=0"]).await.unwrap()),
        "roll-out" => {
            let patch = json!({"spec": {"workers": {"template": {"userData": "true"}}}}).to_string();
            stack.kubectl(&["patch", "cfleet", how, "--type=merge", "-p", &patch]).await.unwrap();
        }
        _ => drop(stack.kubectl(&["delete", "cfleet", how, "--wait=false"]).await.unwrap()),
    }
}

/// The fleet's first worker, as cloudsim has it.
async fn worker(stack: &Stack, name: &str) -> Value {
    let all = instances(stack).await;
    let first = all.into_iter().filter(|instance| instance["tags"]["classifierfleet:name"] == name);
    first.min_by_key(|instance| instance["launchTime"].as_str().unwrap().to_owned()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn a_busy_worker_is_never_killed() {
    let (stack, gate, _relay) = slow_stack().await;
    for name in DISTURBANCES {
        let file = stack.dir().join(format!("{name}.json"));
        std::fs::write(&file, fleet(name)).unwrap();
        stack.kubectl(&["apply", "-f", &file.display().to_string()]).await.unwrap();
    }
    for name in DISTURBANCES {
        until(&format!("the worker of {name} is ready"), async || status(&stack, name, "{.status.workers.ready}").await == "1").await;
    }
    gate.arm(Point { call: Call::named("s3:PUT object"), nth: 1 }, Fault::Delayed(SLOW), DISTURBANCES.len());
    let mut results = BTreeMap::new();
    for name in DISTURBANCES {
        results.insert(name, submit(&stack, name).await);
        until(&format!("the worker of {name} has the job"), async || status(&stack, name, "{.status.queue.inFlight}").await == "1").await;
    }
    for name in DISTURBANCES {
        disturb(&stack, name).await;
    }
    let (s3, _) = support::aws::clients(&stack).await;
    for (name, key) in &results {
        let tags = worker(&stack, name).await["tags"].clone();
        until(&format!("the worker of {name} is told to leave"), async || {
            worker(&stack, name).await["tags"]["classifierfleet:intent"] == "drain"
        })
        .await;
        until(&format!("the job of {name} is done, {tags}"), async || s3.head_object().bucket(BUCKETS[1]).key(key).send().await.is_ok())
            .await;
    }
    for name in DISTURBANCES {
        until(&format!("the worker of {name} is gone"), async || worker(&stack, name).await["state"] == "terminated").await;
        assert_eq!(worker(&stack, name).await["stateReason"], "Client.InstanceInitiatedShutdown", "{name}: it left by itself");
    }
    until("the deleted fleet is gone", async || status(&stack, "deletion", "{.metadata.name}").await.is_empty()).await;
    assert_eq!(calls(&stack, "TerminateInstances").await, 0);
    // A worker that is killed leaves its job to another.
    let written = gate.seen().into_iter().filter(|point| point.call == Call::named("s3:PUT object")).count();
    assert_eq!(written, DISTURBANCES.len(), "each result is written once");
    stack.stop().await.unwrap();
}
