//! The request queue: receive, hide, delete, ten messages a call. Knows nothing of what the messages say.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
    QueueAttributeName,
};

pub(super) use wire::MAX_BATCH;

use crate::cause::chain;

/// SQS allows 20. A drain hears its poll out, so a shorter one leaves sooner; 12 empty polls a minute cost 0.2 USD a month.
const LONG_POLL_SECONDS: i32 = 5;
/// The redrive policy may be changed while a worker lives.
const POLICY_KEPT: Duration = Duration::from_secs(300);

/// SQS did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("SQS {action} on {queue}: {reason}")]
pub struct QueueError {
    action: &'static str,
    queue: String,
    reason: String,
}

/// A received message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// SQS's id, for logs.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub receives: u32,
    /// What it is hidden or deleted by.
    pub receipt: Receipt,
}

/// Stands for one receipt of a message.
#[derive(Debug, Clone)]
pub(super) struct Receipt(String);

/// One message of a call, by its place there, and why SQS refused it.
pub(super) type Refused = (usize, String);

/// What the queue's redrive policy said, and when.
#[derive(Debug, Clone, Copy)]
struct Policy {
    max_receives: Option<u32>,
    at: Instant,
}

/// The request queue.
#[derive(Debug)]
pub struct Queue {
    sqs: Client,
    name: String,
    url: String,
    visibility_timeout: Duration,
    policy: Mutex<Policy>,
}

impl Queue {
    /// Looks the queue `name` up. Received messages are hidden for `visibility_timeout`.
    ///
    /// # Errors
    /// When there is no such queue, or SQS cannot be reached.
    pub async fn open(sqs: Client, name: &str, visibility_timeout: Duration) -> Result<Self, QueueError> {
        let url = url_of(&sqs, name).await?;
        let policy = Mutex::new(Policy { max_receives: None, at: Instant::now() });
        let queue = Self { sqs, name: name.to_owned(), url, visibility_timeout, policy };
        queue.ask_policy().await?;
        Ok(queue)
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// How long a received message is hidden.
    #[must_use]
    pub fn visibility_timeout(&self) -> Duration {
        self.visibility_timeout
    }

    /// Up to `most` messages; none when none came within 5 seconds.
    pub(super) async fn receive(&self, most: usize) -> Result<Vec<Message>, QueueError> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(most.min(MAX_BATCH)).unwrap_or(1))
            .wait_time_seconds(LONG_POLL_SECONDS)
            .visibility_timeout(seconds(self.visibility_timeout))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| self.failed("ReceiveMessage", error))?;
        Ok(received.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    /// Hides at most [`MAX_BATCH`] messages from other workers, each for so long from now; with zero, one is given back.
    pub(super) async fn hide(&self, messages: &[(Receipt, Duration)]) -> Result<Vec<Refused>, QueueError> {
        let entry = |(place, (receipt, duration)): (usize, &(Receipt, Duration))| {
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(place.to_string()).receipt_handle(&receipt.0);
            entry.visibility_timeout(seconds(*duration)).build()
        };
        let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
        let action = "ChangeMessageVisibilityBatch";
        let entries = entries.map_err(|error| self.failed(action, error))?;
        let sent = self.sqs.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        Ok(refused(&sent.map_err(|error| self.failed(action, error))?.failed))
    }

    /// At most [`MAX_BATCH`] messages are done.
    pub(super) async fn delete(&self, messages: &[Receipt]) -> Result<Vec<Refused>, QueueError> {
        let entry = |(place, receipt): (usize, &Receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(&receipt.0).build()
        };
        let entries: Result<Vec<_>, _> = messages.iter().enumerate().map(entry).collect();
        let action = "DeleteMessageBatch";
        let entries = entries.map_err(|error| self.failed(action, error))?;
        let sent = self.sqs.delete_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await;
        Ok(refused(&sent.map_err(|error| self.failed(action, error))?.failed))
    }

    /// Whether SQS delivers `message` to nobody any more, but moves it to the dead-letter queue when it is not done now.
    pub(super) async fn is_last_receive(&self, message: &Message) -> bool {
        let Policy { max_receives, at } = self.policy();
        if at.elapsed() > POLICY_KEPT
            && let Err(error) = self.ask_policy().await
        {
            tracing::warn!(%error, ?max_receives, "the queue's redrive policy could not be read, the last one known holds");
        }
        self.policy().max_receives.is_some_and(|most| message.receives >= most)
    }

    async fn ask_policy(&self) -> Result<(), QueueError> {
        let ask = self.sqs.get_queue_attributes().queue_url(&self.url).attribute_names(QueueAttributeName::RedrivePolicy);
        let answer = ask.send().await.map_err(|error| self.failed("GetQueueAttributes", error))?;
        let policy = answer.attributes.as_ref().and_then(|all| all.get(&QueueAttributeName::RedrivePolicy));
        let policy = Policy { max_receives: policy.and_then(|policy| max_receives(policy)), at: Instant::now() };
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = policy;
        Ok(())
    }

    fn policy(&self) -> Policy {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, action: &'static str, error: impl std::error::Error + Send + Sync + 'static) -> QueueError {
        QueueError { action, queue: self.name.clone(), reason: chain(&error) }
    }
}

/// URL of the queue `name`.
///
/// # Errors
/// When there is no such queue, or SQS cannot be reached.
pub(super) async fn url_of(sqs: &Client, name: &str) -> Result<String, QueueError> {
    let failed = |reason: String| QueueError { action: "GetQueueUrl", queue: name.to_owned(), reason };
    let answer = sqs.get_queue_url().queue_name(name).send().await.map_err(|error| failed(chain(&error)))?;
    answer.queue_url.ok_or_else(|| failed("the answer holds no URL".to_owned()))
}

/// What SQS refused of a call whose entries are named by their places.
pub(super) fn refused(failed: &[BatchResultErrorEntry]) -> Vec<Refused> {
    let refused = |entry: &BatchResultErrorEntry| {
        let reason = entry.message.clone().unwrap_or_else(|| entry.code.clone());
        Some((entry.id.parse().ok()?, reason))
    };
    failed.iter().filter_map(refused).collect()
}

fn message(received: aws_sdk_sqs::types::Message) -> Message {
    let receives = received.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    Message {
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        id: received.message_id.unwrap_or_default(),
        body: received.body.unwrap_or_default(),
        receipt: Receipt(received.receipt_handle.unwrap_or_default()),
    }
}

/// SQS writes the number with or without quotes.
fn max_receives(policy: &str) -> Option<u32> {
    let policy: serde_json::Value = serde_json::from_str(policy).ok()?;
    let most = policy.get("maxReceiveCount")?;
    most.as_u64().or_else(|| most.as_str()?.parse().ok()).and_then(|most| u32::try_from(most).ok())
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::max_receives;

    #[test]
    fn the_redrive_policy_is_read_however_it_is_written() {
        let table = [
            (r#"{"deadLetterTargetArn":"arn","maxReceiveCount":3}"#, Some(3)),
            (r#"{"deadLetterTargetArn":"arn","maxReceiveCount":"1000"}"#, Some(1000)),
            ("{}", None),
            ("", None),
        ];
        for (policy, expected) in table {
            assert_eq!(max_receives(policy), expected, "{policy}");
        }
    }
}
