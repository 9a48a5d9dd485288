//! The fleet's queues: request with its dead-letter queue, and one reply queue for each gateway replica.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use crds::ClassifierFleet;
use kube::ResourceExt as _;
use serde_json::json;

use super::Fault;

type Attributes = HashMap<QueueAttributeName, String>;

/// Dead letters are kept as long as SQS can: 14 days, in seconds.
const DEAD_LETTERS_KEPT: &str = "1209600";
/// Nobody waits for an answer longer than this; S3 has it anyway. One hour, in seconds.
const REPLIES_KEPT: &str = "3600";

/// Makes the queues that are missing and answers with the URL of the request queue. Queues that exist are left as they are.
pub async fn ensure(sqs: &Client, fleet: &ClassifierFleet) -> Result<String, Fault> {
    let spec = &fleet.spec.queues;
    let kept = |seconds: &str| HashMap::from([(QueueAttributeName::MessageRetentionPeriod, seconds.to_owned())]);
    let dead = queue(sqs, fleet, &spec.dead_letter_name(), kept(DEAD_LETTERS_KEPT)).await?;
    let redrive = json!({"deadLetterTargetArn": arn(sqs, &dead).await?, "maxReceiveCount": spec.max_receives}).to_string();
    let request = HashMap::from([
        (QueueAttributeName::VisibilityTimeout, spec.visibility_timeout_seconds.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive),
    ]);
    let url = queue(sqs, fleet, &spec.request.name, request).await?;
    for ordinal in 0..fleet.spec.gateway.replicas {
        queue(sqs, fleet, &spec.reply_name(ordinal), kept(REPLIES_KEPT)).await?;
    }
    Ok(url)
}

async fn queue(sqs: &Client, fleet: &ClassifierFleet, name: &str, attributes: Attributes) -> Result<String, Fault> {
    match sqs.get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url.ok_or_else(|| fault(name, "SQS answered without a URL".to_owned())),
        Err(error) if error.as_service_error().is_some_and(|answer| answer.is_queue_does_not_exist()) => {
            create(sqs, fleet, name, attributes).await
        }
        Err(error) => Err(fault(name, DisplayErrorContext(error).to_string())),
    }
}

async fn create(sqs: &Client, fleet: &ClassifierFleet, name: &str, attributes: Attributes) -> Result<String, Fault> {
    let call = sqs
        .create_queue()
        .queue_name(name)
        .set_attributes(Some(attributes))
        .tags(ec2::tags::UID, fleet.uid().unwrap_or_default())
        .tags(ec2::tags::NAMESPACE, fleet.namespace().unwrap_or_default())
        .tags(ec2::tags::FLEET, fleet.name_any());
    let answer = call.send().await.map_err(|error| fault(name, DisplayErrorContext(error).to_string()))?;
    tracing::info!(queue = name, fleet = fleet.name_any(), "queue made");
    answer.queue_url.ok_or_else(|| fault(name, "SQS answered without a URL".to_owned()))
}

async fn arn(sqs: &Client, url: &str) -> Result<String, Fault> {
    let call = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    let answer = call.send().await.map_err(|error| fault(url, DisplayErrorContext(error).to_string()))?;
    let arn = answer.attributes.and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn));
    arn.ok_or_else(|| fault(url, "SQS answered without an ARN".to_owned()))
}

fn fault(queue: &str, message: String) -> Fault {
    Fault { reason: "QueueUnavailable", message: format!("The queue {queue} cannot be made or found: {message}") }
}
