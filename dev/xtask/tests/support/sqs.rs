//! A queue that a test fills and empties by itself.
#![allow(dead_code, clippy::unwrap_used)]

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

/// SQS takes and gives so many messages at once.
const BATCH: usize = 10;
/// Seconds for which messages are held: longer than any test.
const HELD_SECONDS: i32 = 3600;
/// Seconds for which messages are delayed, SQS's longest: longer than any test.
const DELAY_SECONDS: i32 = 900;

/// A queue.
pub struct Queue {
    sqs: Client,
    url: String,
}

impl Queue {
    /// The queue called `name`, made if missing.
    pub async fn of(sqs: &Client, name: &str) -> Self {
        let made = sqs.create_queue().queue_name(name).send().await.unwrap();
        Self { sqs: sqs.clone(), url: made.queue_url.unwrap() }
    }

    /// Puts messages in.
    pub async fn send(&self, count: usize) {
        self.put(count, 0).await;
    }

    /// Puts messages in that nobody sees for longer than any test.
    pub async fn send_delayed(&self, count: usize) {
        self.put(count, DELAY_SECONDS).await;
    }

    /// Takes messages as a worker does that is busy with them for longer than any test.
    pub async fn hold(&self, count: usize) {
        self.receive(count).await;
    }

    /// Takes messages out for good.
    pub async fn take(&self, count: usize) {
        for receipt in self.receive(count).await {
            self.sqs.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await.unwrap();
        }
    }

    async fn put(&self, count: usize, delay_seconds: i32) {
        let entry = |n: usize| {
            let entry = SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(format!("message {n}"));
            entry.set_delay_seconds((delay_seconds > 0).then_some(delay_seconds)).build().unwrap()
        };
        for first in (0..count).step_by(BATCH) {
            let entries = (first..count.min(first + BATCH)).map(entry).collect();
            let sent = self.sqs.send_message_batch().queue_url(&self.url).set_entries(Some(entries)).send().await.unwrap();
            assert!(sent.failed.is_empty(), "{:?}", sent.failed);
        }
    }

    /// Receipts of so many messages.
    async fn receive(&self, count: usize) -> Vec<String> {
        let mut receipts = Vec::new();
        while receipts.len() < count {
            let most = i32::try_from((count - receipts.len()).min(BATCH)).unwrap();
            let call = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(most).visibility_timeout(HELD_SECONDS);
            let got = call.wait_time_seconds(5).send().await.unwrap().messages.unwrap_or_default();
            receipts.extend(got.into_iter().filter_map(|message| message.receipt_handle));
        }
        receipts
    }
}
