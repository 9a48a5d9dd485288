//! Two fleets that ask for one queue.

use std::time::Duration;

use serde_json::json;

use crate::Stage;

pub async fn the_younger_of_two_waits_for_the_older_to_go(stage: &Stage) {
    let older = stage.apply("older", json!({"workers": {"min": 1}})).await;
    stage.fleet("older", "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
    // Kubernetes tells ages in whole seconds; of two of one age, who is the older is a matter of uids.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let shared = json!({"request": {"name": "older-requests"}, "response": {"name": "younger-responses"}});
    let younger = stage.apply("younger", json!({"queues": shared, "workers": {"min": 2}})).await;
    assert!(older["metadata"]["creationTimestamp"].as_str() < younger["metadata"]["creationTimestamp"].as_str());
    let message = stage.says("younger", "QueuesReady", "False", "NameInUse").await;
    assert!(message.contains("The queue older-requests is used by the older fleet default/older"), "{message}");
    stage.says("younger", "Ready", "False", "NameInUse").await;
    // It makes nothing: no workers, no buckets, no gateway.
    let fleet = stage.fleet("younger", "it was decided on", |fleet| fleet["status"]["decision"].is_object()).await;
    assert_eq!((&fleet["status"]["workers"]["total"], fleet["status"].get("launches")), (&json!(0), None), "{fleet}");
    assert!(launched(stage, "younger").await == 0 && !stage.has_bucket("younger-in").await);
    assert_eq!(stage.cluster.get("statefulsets", "default", "younger-gateway").await, None);
    // The older one does not suffer.
    stage.says("older", "QueuesReady", "True", "QueuesExist").await;
    let url = stage.queue("older-requests").await.unwrap();
    stage.sqs.send_message().queue_url(url).message_body("a job").delay_seconds(900).send().await.unwrap();
    stage.delete("older").await;
    stage.fleet("younger", "its workers are ready", |fleet| fleet["status"]["workers"]["ready"] == 2).await;
    stage.says("younger", "QueuesReady", "True", "QueuesExist").await;
    assert_eq!(launched(stage, "younger").await, 2);
    // It has the older one's queue, with what was in it.
    let attributes = stage.attributes("older-requests").await;
    assert_eq!(attributes["ApproximateNumberOfMessagesDelayed"], "1");
    let url = stage.queue("older-requests").await.unwrap();
    let tags = stage.sqs.list_queue_tags().queue_url(url).send().await.unwrap().tags.unwrap_or_default();
    assert_eq!(tags["classifierfleet:name"], "younger");
}

async fn launched(stage: &Stage, fleet: &str) -> usize {
    let all = crate::support::instances(&stage.stack).await;
    all.iter().filter(|instance| instance["tags"]["classifierfleet:name"] == fleet).count()
}
