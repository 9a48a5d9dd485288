//! What stays and what goes when a fleet is deleted.

use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};

use crate::Stage;

const QUEUES: [&str; 3] = ["requests", "requests-dead", "responses-0"];

/// A fleet with a worker, a job that waits and objects in its buckets.
async fn begun(stage: &Stage, name: &str, deletion: Value) {
    // Queues and buckets that the user made are no business of ours, whatever the policy says.
    stage.s3.create_bucket().bucket(format!("{name}-out")).send().await.unwrap();
    stage.apply(name, json!({"deletion": deletion, "gateway": {"replicas": 1}, "workers": {"min": 1}})).await;
    stage.says(name, "QueuesReady", "True", "QueuesExist").await;
    stage.fleet(name, "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
    let url = stage.queue(&format!("{name}-requests")).await.unwrap();
    stage.sqs.send_message().queue_url(url).message_body("a job").send().await.unwrap();
    for bucket in ["in", "out"] {
        for key in ["a/1.jpg", "b/2.jpg"] {
            let body = ByteStream::from_static(b"image");
            stage.s3.put_object().bucket(format!("{name}-{bucket}")).key(key).body(body).send().await.unwrap();
        }
    }
}

async fn has_no_instances(stage: &Stage, name: &str) {
    let all = crate::support::instances(&stage.stack).await;
    let ours: Vec<_> = all.iter().filter(|instance| instance["tags"]["classifierfleet:name"] == name).collect();
    assert!(!ours.is_empty() && ours.iter().all(|instance| instance["state"] == "terminated"), "{ours:?}");
}

pub async fn retained_queues_and_buckets_stay(stage: &Stage) {
    begun(stage, "lasting", json!({})).await;
    stage.delete("lasting").await;
    has_no_instances(stage, "lasting").await;
    for queue in QUEUES {
        assert!(stage.queue(&format!("lasting-{queue}")).await.is_some(), "{queue} is gone");
    }
    assert_eq!(stage.attributes("lasting-requests").await["ApproximateNumberOfMessages"], "1");
    for bucket in ["lasting-in", "lasting-out"] {
        let kept = stage.s3.list_objects_v2().bucket(bucket).send().await.unwrap();
        assert_eq!(kept.key_count(), Some(2), "{bucket}");
    }
    // A fleet of the same name finds its queue again, and the job in it; and it need not wait until Kubernetes has collected
    // the gateway of the former one.
    let again = stage.apply("lasting", json!({"gateway": {"replicas": 1}})).await;
    stage.says("lasting", "GatewayReady", "True", "ReplicasReady").await;
    for kind in crate::gateway::KINDS {
        let object = stage.cluster.get(kind, "default", "lasting-gateway").await.unwrap();
        assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], again["metadata"]["uid"], "{kind}");
    }
    stage.fleet("lasting", "it sees the job", |fleet| fleet["status"]["queue"]["visible"] == 1).await;
}

pub async fn deleted_queues_and_buckets_go_with_all_that_they_hold(stage: &Stage) {
    begun(stage, "passing", json!({"queues": "Delete", "buckets": "Delete"})).await;
    stage.delete("passing").await;
    has_no_instances(stage, "passing").await;
    for queue in QUEUES {
        assert!(stage.queue(&format!("passing-{queue}")).await.is_none(), "{queue} is left");
    }
    assert!(!stage.has_bucket("passing-in").await);
    assert!(stage.has_bucket("passing-out").await, "it was the user's, and is gone");
    let kept = stage.s3.list_objects_v2().bucket("passing-out").send().await.unwrap();
    assert_eq!(kept.key_count(), Some(2));
    // Kubernetes takes the rest along: it is the fleet's.
    for kind in crate::gateway::KINDS {
        stage.cluster.gone(kind, "default", "passing-gateway").await;
    }
}
