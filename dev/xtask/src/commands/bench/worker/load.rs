//! The work of one measurement: jobs that wait before a worker starts, and what came of them. Owns queues and buckets; knows
//! nothing of who does the jobs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use jiff::Timestamp;
use uuid::Uuid;
use wire::{Job, JobResult};

use super::super::fleet::{OUTPUT_BUCKET, REQUEST_QUEUE};
use super::super::received;
use super::contender::VISIBILITY_SECONDS;
use crate::photos::Photo;
use crate::stack::Stack;

const INPUT_BUCKET: &str = "bench-in";
const REPLY_QUEUE: &str = "bench-replies";
const BATCH: usize = 10;
/// What SQS takes in one message, and in one call.
const MAX_BYTES: usize = 1024 * 1024;

/// Queues and buckets.
pub(super) struct Load {
    sqs: aws_sdk_sqs::Client,
    requests: String,
    replies: String,
    photos: Vec<Photo>,
}

impl Load {
    /// Makes queues and buckets, and puts the photos in.
    pub(super) async fn new(stack: &Stack, photos: Vec<Photo>) -> Result<Self> {
        let (s3, sqs) = (stack.endpoints()?.s3_client().await, stack.endpoints()?.sqs_client().await);
        for bucket in [INPUT_BUCKET, OUTPUT_BUCKET] {
            s3.create_bucket().bucket(bucket).send().await?;
        }
        for photo in &photos {
            s3.put_object().bucket(INPUT_BUCKET).key(&photo.name).body(ByteStream::from(photo.bytes.clone())).send().await?;
        }
        let queue = async |name: &str| {
            let create = sqs.create_queue().queue_name(name);
            let create = create.attributes(QueueAttributeName::VisibilityTimeout, VISIBILITY_SECONDS.to_string());
            create.send().await?.queue_url.context("a queue without a URL")
        };
        Ok(Self { requests: queue(REQUEST_QUEUE).await?, replies: queue(REPLY_QUEUE).await?, sqs, photos })
    }

    /// Queues `count` jobs, each photo in turn; with `inline`, the photos are in the messages.
    pub(super) async fn submit(&self, count: usize, inline: bool) -> Result<()> {
        let photos: Vec<&Photo> = self.photos.iter().cycle().take(count).collect();
        // With its photo, a message may fill a call.
        for batch in photos.chunks(if inline { 1 } else { BATCH }) {
            let entry = |(place, photo): (usize, &&Photo)| {
                let entry = SendMessageBatchRequestEntry::builder().id(place.to_string());
                Ok(entry.message_body(job(photo, inline).to_message(MAX_BYTES)?).build()?)
            };
            let entries = batch.iter().enumerate().map(entry).collect::<Result<Vec<_>>>()?;
            let sent = self.sqs.send_message_batch().queue_url(&self.requests).set_entries(Some(entries)).send().await?;
            ensure!(sent.failed.is_empty(), "SQS refused jobs: {:?}", sent.failed);
        }
        Ok(())
    }

    /// Jobs that were answered and not collected.
    pub(super) async fn answered(&self) -> Result<usize> {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.sqs.get_queue_attributes().queue_url(&self.replies).attribute_names(name.clone()).send().await?;
        let count = asked.attributes.as_ref().and_then(|all| all.get(&name)).context("a queue without a count")?;
        Ok(count.parse()?)
    }

    /// The answers, in the order of their time; the queue is empty then.
    pub(super) async fn collect(&self, count: usize) -> Result<Vec<JobResult>> {
        let mut results: Vec<JobResult> = Vec::new();
        while results.len() < count {
            let receive = self.sqs.receive_message().queue_url(&self.replies).max_number_of_messages(10).wait_time_seconds(1);
            let messages = receive.send().await?.messages.unwrap_or_default();
            ensure!(!messages.is_empty(), "{} of {count} answers are there", results.len());
            for message in &messages {
                results.push(serde_json::from_str(message.body().unwrap_or_default())?);
            }
            received::delete(&self.sqs, &self.replies, messages).await?;
        }
        results.sort_by_key(|result| result.finished_at);
        Ok(results)
    }

    /// Waits until at least `count` jobs are answered.
    pub(super) async fn until_answered(&self, count: usize) -> Result<()> {
        while self.answered().await? < count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

fn job(photo: &Photo, inline: bool) -> Job {
    Job {
        id: Uuid::now_v7(),
        name: photo.name.clone(),
        bucket: INPUT_BUCKET.to_owned(),
        key: photo.name.clone(),
        reply_to: REPLY_QUEUE.to_owned(),
        submitted_at: Timestamp::now(),
        traceparent: None,
        tracestate: None,
        by_name: false,
        image: inline.then(|| photo.bytes.clone().into()),
    }
}
