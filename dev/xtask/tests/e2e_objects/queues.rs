//! Queues: their settings follow the spec.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::Stage;
use crate::support::until;

/// Receives before the dead-letter queue, and that queue's name.
fn redrive(attributes: &HashMap<String, String>) -> (i64, String) {
    let policy: Value = serde_json::from_str(attributes.get("RedrivePolicy").map_or("{}", String::as_str)).unwrap();
    let receives = policy["maxReceiveCount"].as_i64().or_else(|| policy["maxReceiveCount"].as_str()?.parse().ok()).unwrap_or_default();
    (receives, policy["deadLetterTargetArn"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned())
}

async fn become_(stage: &Stage, visibility: &str, receives: i64, largest: &str) {
    let what = format!("the queue hides for {visibility} s, gives {receives} times and takes {largest} bytes");
    until(&what, async || {
        let attributes = stage.attributes("tuned-requests").await;
        let is = |name: &str, value: &str| attributes.get(name).is_some_and(|live| live == value);
        is("VisibilityTimeout", visibility)
            && is("MaximumMessageSize", largest)
            && redrive(&attributes) == (receives, "tuned-own-dead".to_owned())
    })
    .await;
}

pub async fn settings_are_changed_in_place(stage: &Stage) {
    stage.apply("tuned", json!({"queues": {"deadLetter": {"name": "tuned-own-dead"}}})).await;
    become_(stage, "60", 3, "1048576").await;
    let made = stage.attributes("tuned-requests").await["CreatedTimestamp"].clone();
    let url = stage.queue("tuned-requests").await.unwrap();
    stage.sqs.send_message().queue_url(&url).message_body("not a job").delay_seconds(900).send().await.unwrap();
    stage.change("tuned", json!({"queues": {"visibilityTimeoutSeconds": 77, "maxReceives": 9, "maximumMessageBytes": 2048}})).await;
    become_(stage, "77", 9, "2048").await;
    stage.change("tuned", json!({"queues": {"visibilityTimeoutSeconds": 60, "maxReceives": 3, "maximumMessageBytes": null}})).await;
    // Nobody asks for another limit any more, so the last one stays.
    become_(stage, "60", 3, "2048").await;
    let attributes = stage.attributes("tuned-requests").await;
    assert_eq!(
        (&attributes["CreatedTimestamp"], attributes["ApproximateNumberOfMessagesDelayed"].as_str()),
        (&made, "1"),
        "it is another queue"
    );
    // Replies of replicas to come: each has its queue.
    stage.change("tuned", json!({"gateway": {"replicas": 2}})).await;
    until("each replica has its reply queue", async || {
        stage.queue("tuned-responses-0").await.is_some() && stage.queue("tuned-responses-1").await.is_some()
    })
    .await;
    assert_eq!(stage.attributes("tuned-own-dead").await["MessageRetentionPeriod"], "1209600");
}

pub async fn a_queue_that_somebody_deleted_is_made_again(stage: &Stage) {
    stage.apply("robbed", json!({})).await;
    stage.says("robbed", "QueuesReady", "True", "QueuesExist").await;
    let url = stage.queue("robbed-requests").await.unwrap();
    stage.sqs.delete_queue().queue_url(url).send().await.unwrap();
    until("the queue is there again", async || stage.queue("robbed-requests").await.is_some()).await;
    assert_eq!(redrive(&stage.attributes("robbed-requests").await), (3, "robbed-requests-dead".to_owned()));
}
