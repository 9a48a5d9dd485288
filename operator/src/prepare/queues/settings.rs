//! What each queue of a fleet is set to, and what of that a queue lacks. Pure.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName;
use crds::Queues;
use serde_json::{Value, json};

/// Settings of a queue by their names.
pub type Attributes = HashMap<QueueAttributeName, String>;

/// Dead letters are kept as long as SQS can: 14 days, in seconds.
const DEAD_LETTERS_KEPT: &str = "1209600";
/// Nobody waits for an answer longer than this; S3 has it anyway. One hour, in seconds.
const REPLIES_KEPT: &str = "3600";

/// Settings of the dead-letter queue.
pub fn dead_letter(queues: &Queues) -> Attributes {
    let kept = (QueueAttributeName::MessageRetentionPeriod, DEAD_LETTERS_KEPT.to_owned());
    let fifo = queues.fifo.then(|| (QueueAttributeName::FifoQueue, "true".to_owned()));
    [kept].into_iter().chain(fifo).collect()
}

/// Settings of the request queue, whose dead letters go to the queue `dead_letter_arn`.
pub fn request(queues: &Queues, dead_letter_arn: &str) -> Attributes {
    let redrive = json!({"deadLetterTargetArn": dead_letter_arn, "maxReceiveCount": queues.max_receives}).to_string();
    let mut attributes = Attributes::from([
        (QueueAttributeName::VisibilityTimeout, queues.visibility_timeout_seconds.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive),
    ]);
    // What SQS itself allows differs by region and has changed over the years: unless the spec says a number, it is left alone.
    if let Some(bytes) = queues.maximum_message_bytes {
        attributes.insert(QueueAttributeName::MaximumMessageSize, bytes.to_string());
    }
    if queues.fifo {
        // Each job is a group of its own: with these two, SQS's high-throughput mode, groups do not share a limit.
        attributes.insert(QueueAttributeName::DeduplicationScope, "messageGroup".to_owned());
        attributes.insert(QueueAttributeName::FifoThroughputLimit, "perMessageGroupId".to_owned());
        attributes.insert(QueueAttributeName::FifoQueue, "true".to_owned());
    }
    attributes
}

/// Settings of a reply queue.
pub fn reply() -> Attributes {
    [(QueueAttributeName::MessageRetentionPeriod, REPLIES_KEPT.to_owned())].into()
}

/// What a queue that is set as `live` must be told.
pub fn changes(wanted: Attributes, live: &Attributes) -> Attributes {
    let differs = |name: &QueueAttributeName, value: &String| live.get(name).is_none_or(|live| !is_same(name, value, live));
    // Whether a queue is a FIFO queue is settled when it is made; its name says it.
    wanted.into_iter().filter(|(name, value)| *name != QueueAttributeName::FifoQueue && differs(name, value)).collect()
}

fn is_same(name: &QueueAttributeName, wanted: &str, live: &str) -> bool {
    match name {
        QueueAttributeName::RedrivePolicy => redrive(wanted) == redrive(live),
        _ => wanted == live,
    }
}

/// SQS writes the policy in its own words: the count may be a number or a string.
fn redrive(policy: &str) -> Option<(String, i64)> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_i64().or_else(|| count.as_str()?.parse().ok())?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), count))
}
