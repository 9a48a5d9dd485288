//! One SQS queue, standard or FIFO, known by its name.

use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, SendMessageBatchRequestEntry};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::AwsError;

/// Seconds that SQS may hold a receive until a message comes: the most it allows.
const LONG_POLL_SECONDS: i32 = 20;

/// A queue; its URL is looked up when first needed.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    client: Client,
    name: String,
    url: Arc<OnceCell<String>>,
}

/// A message to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Id of the job: SQS sends a FIFO message of the same id once.
    pub(crate) id: Uuid,
    /// Its JSON.
    pub(crate) body: String,
}

impl Queue {
    /// Most messages in one call, in either direction.
    pub(crate) const BATCH: usize = wire::MAX_BATCH;

    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name, url: Arc::default() }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL, looked up once it exists.
    pub(crate) async fn url(&self) -> Result<&str, AwsError> {
        self.url.get_or_try_init(|| self.look_up()).await.map(String::as_str)
    }

    async fn look_up(&self) -> Result<String, AwsError> {
        let missing = || format!("the queue {:?} cannot be reached", self.name);
        let answer = self.client.get_queue_url().queue_name(&self.name).send().await;
        let answer = answer.map_err(|error| AwsError::call(missing(), error))?;
        answer.queue_url.ok_or_else(|| AwsError::call(missing(), std::io::Error::other("SQS answered without a URL")))
    }

    /// Sends up to [`Self::BATCH`] messages and returns, for each one that SQS refused, its place and why.
    pub(crate) async fn send(&self, messages: &[Outgoing]) -> Result<Vec<(usize, String)>, AwsError> {
        let failed = |error| AwsError::call(format!("the queue {:?} does not take the job", self.name), error);
        let entries = messages.iter().enumerate().map(|(place, message)| self.entry(place, message));
        let entries = entries.collect::<Result<Vec<_>, _>>().map_err(|error| AwsError::call("the job is no message for SQS", error))?;
        let send = self.client.send_message_batch().queue_url(self.url().await?).set_entries(Some(entries));
        let answer = send.send().await.map_err(failed)?;
        let refused = answer.failed.into_iter().map(|entry| {
            let reason = entry.message.unwrap_or(entry.code);
            (entry.id.parse().unwrap_or(usize::MAX), reason)
        });
        Ok(refused.collect())
    }

    fn entry(&self, place: usize, message: &Outgoing) -> Result<SendMessageBatchRequestEntry, aws_sdk_sqs::error::BuildError> {
        // Jobs of one FIFO group would wait for each other: each is a group of its own.
        let fifo = self.name.ends_with(".fifo").then(|| message.id.to_string());
        SendMessageBatchRequestEntry::builder()
            .id(place.to_string())
            .message_body(&message.body)
            .set_message_group_id(fifo.clone())
            .set_message_deduplication_id(fifo)
            .build()
    }

    /// Waits up to 20 s for messages, at most [`Self::BATCH`].
    pub(crate) async fn receive(&self) -> Result<Vec<Message>, AwsError> {
        let receive = self.client.receive_message().queue_url(self.url().await?);
        let answer = receive.max_number_of_messages(Self::BATCH as i32).wait_time_seconds(LONG_POLL_SECONDS).send().await;
        let answer = answer.map_err(|error| AwsError::call(format!("nothing can be received from the queue {:?}", self.name), error))?;
        Ok(answer.messages.unwrap_or_default())
    }

    /// Deletes received messages, at most [`Self::BATCH`]. One that SQS does not delete comes again, which does no harm.
    pub(crate) async fn delete(&self, receipts: Vec<String>) -> Result<(), AwsError> {
        let entries = receipts.into_iter().enumerate().filter_map(|(place, receipt)| {
            DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt).build().ok()
        });
        let delete = self.client.delete_message_batch().queue_url(self.url().await?).set_entries(Some(entries.collect()));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::call(format!("answers could not be deleted from the queue {:?}", self.name), error)),
        }
    }
}
