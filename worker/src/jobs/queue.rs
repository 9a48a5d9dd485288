//! The request queue: receive, hide, delete. Knows nothing of what the messages say.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageSystemAttributeName;

use crate::cause::chain;

/// SQS allows 20. A drain hears its poll out, so a shorter one leaves sooner; 12 empty polls a minute cost 0.2 USD a month.
const LONG_POLL_SECONDS: i32 = 5;
/// SQS gives no more messages at once.
const MAX_BATCH: usize = 10;

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
    receipt: String,
}

/// The request queue.
#[derive(Debug, Clone)]
pub struct Queue {
    sqs: Client,
    name: String,
    url: String,
    visibility_timeout: Duration,
}

impl Queue {
    /// Looks the queue `name` up. Received messages are hidden for `visibility_timeout`.
    ///
    /// # Errors
    /// When there is no such queue, or SQS cannot be reached.
    pub async fn open(sqs: Client, name: &str, visibility_timeout: Duration) -> Result<Self, QueueError> {
        let url = url_of(&sqs, name).await?;
        Ok(Self { sqs, name: name.to_owned(), url, visibility_timeout })
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

    /// Hides a message from other workers for `duration` from now; with zero, it is given back.
    pub(super) async fn hide(&self, message: &Message, duration: Duration) -> Result<(), QueueError> {
        let request = self.sqs.change_message_visibility().queue_url(&self.url).receipt_handle(&message.receipt);
        let sent = request.visibility_timeout(seconds(duration)).send().await;
        sent.map(drop).map_err(|error| self.failed("ChangeMessageVisibility", error))
    }

    /// The message is done.
    pub(super) async fn delete(&self, message: &Message) -> Result<(), QueueError> {
        let sent = self.sqs.delete_message().queue_url(&self.url).receipt_handle(&message.receipt).send().await;
        sent.map(drop).map_err(|error| self.failed("DeleteMessage", error))
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

fn message(received: aws_sdk_sqs::types::Message) -> Message {
    let receives = received.attributes.as_ref().and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    Message {
        receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
        id: received.message_id.unwrap_or_default(),
        body: received.body.unwrap_or_default(),
        receipt: received.receipt_handle.unwrap_or_default(),
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}
