//! What benchmarks received from a queue. Knows nothing of what it says.

use anyhow::{Context as _, Result};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};

/// Deletes messages of one receive from the queue at `url`.
///
/// # Errors
/// When SQS cannot be asked.
pub(super) async fn delete(sqs: &Client, url: &str, messages: Vec<Message>) -> Result<()> {
    let entry =
        |(place, receipt): (usize, String)| DeleteMessageBatchRequestEntry::builder().id(place.to_string()).receipt_handle(receipt).build();
    let receipts = messages.into_iter().filter_map(|message| message.receipt_handle);
    let entries = receipts.enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
    let delete = sqs.delete_message_batch().queue_url(url).set_entries(Some(entries));
    delete.send().await.map(drop).context("messages cannot be deleted")
}
