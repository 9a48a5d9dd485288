//! Fleets elsewhere: in another region, reached by another address; and one of FIFO queues, through which a job goes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use xtask::stack::{Endpoints, Guests};

use crate::front_door::FrontDoor;
use crate::support::{classify, photos};
use crate::{QUICK, Stage, attributes};

const REGION: &str = "eu-west-1";

pub async fn fleets_of_two_regions_have_each_its_own(stage: &Stage) {
    let there = stage.stack.spawn_cloud("cloudsim-elsewhere", QUICK, Guests::Processes).await.unwrap();
    let door = FrontDoor::open(Endpoints { ec2: there.clone(), ..stage.stack.endpoints().unwrap().clone() }).await;
    stage.apply("near", json!({"workers": {"min": 1}})).await;
    let queues = json!({"fifo": true, "request": {"name": "far-requests.fifo"}});
    let target = json!({"target": {"messagesPerWorker": 1}});
    // As an AMI brings it: S3 gives no buckets of other regions.
    let model = json!({"uri": format!("file://{}", stage.stack.tools().model.display())});
    stage
        .apply(
            "far",
            json!({"region": REGION, "endpointUrl": door.url(), "queues": queues, "gateway": {"replicas": 1}, "scaling": target, "workers": {"max": 1}, "model": model}),
        )
        .await;
    let url = stage.cluster.gateway_url("default", "far-gateway-0").await;
    let photo = photos(&stage.stack).into_iter().next().unwrap();
    let answer = classify(&url, "/upload", "myfile", &photo.name, photo.bytes.clone()).await;
    assert!(answer["label"].as_str().or(answer["result"].as_str()).is_some_and(|label| !label.is_empty()), "{answer}");
    queues_are_fifo(stage).await;
    // Operator, gateway and worker all went through the door, and asked for the region.
    let services = BTreeSet::from(["ec2", "s3", "sqs"].map(|service| (service.to_owned(), REGION.to_owned())));
    assert_eq!(door.asked(), services);
    stage.fleet("near", "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
    let (here, there) = (fleets(&stage.stack.endpoints().unwrap().ec2).await, fleets(&there).await);
    assert!(here.contains("near") && !here.contains("far"), "{here:?}");
    assert_eq!(there, BTreeSet::from(["far".to_owned()]));
    pod_is_told(stage).await;
    stage.delete("far").await;
}

async fn queues_are_fifo(stage: &Stage) {
    let region = aws_sdk_sqs::config::Region::new(REGION);
    let sqs = aws_sdk_sqs::Client::from_conf(stage.sqs.config().to_builder().region(region).build());
    for queue in ["far-requests.fifo", "far-requests-dead.fifo"] {
        assert_eq!(attributes(&sqs, queue).await["FifoQueue"], "true", "{queue}");
    }
    let requests = attributes(&sqs, "far-requests.fifo").await;
    assert_eq!((&*requests["DeduplicationScope"], &*requests["FifoThroughputLimit"]), ("messageGroup", "perMessageGroupId"));
    assert!(requests["RedrivePolicy"].contains("far-requests-dead.fifo"));
    assert!(!attributes(&sqs, "far-responses-0").await.contains_key("FifoQueue"), "replies need no order");
    assert!(stage.queue("far-requests.fifo").await.is_none(), "it is in the operator's region");
}

/// Names of the fleets whose instances an EC2 has.
async fn fleets(ec2: &str) -> BTreeSet<String> {
    let all: Vec<Value> = reqwest::get(format!("{ec2}/_cloudsim/instances")).await.unwrap().json().await.unwrap();
    all.iter().map(|instance| instance["tags"]["classifierfleet:name"].as_str().unwrap().to_owned()).collect()
}

async fn pod_is_told(stage: &Stage) {
    let region = |set: Value| {
        let env = set["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        env.iter().find(|variable| variable["name"] == "AWS_REGION").unwrap()["value"].clone()
    };
    for (fleet, wanted) in [("near", "us-east-1"), ("far", REGION)] {
        assert_eq!(region(stage.cluster.get("statefulsets", "default", &format!("{fleet}-gateway")).await.unwrap()), wanted);
    }
}
