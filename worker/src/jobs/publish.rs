//! Makes results known: the object in S3 is the truth, the reply only wakes who waits for it.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::Mutex;
use uuid::Uuid;
use wire::{Job, JobResult, ObjectKeys, Outcome, batches, stem};

use super::queue::{MAX_BATCH, QueueError, refused, url_of};
use crate::cause::chain;

/// Metadata travels as HTTP headers: ASCII only, and spaces would be trimmed. What is encoded, besides all that is not ASCII.
const HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A result could not be stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    /// S3 refused.
    #[error("the result cannot be written to s3://{bucket}/{key}: {reason}")]
    S3 {
        /// The bucket.
        bucket: String,
        /// The object key.
        key: String,
        /// What S3 said.
        reason: String,
    },
    /// The result is no JSON: never happens with finite numbers.
    #[error("the result cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// The announcement of a result.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// Id of the job.
    pub(super) id: Uuid,
    /// Name of the queue.
    pub(super) queue: String,
    /// The result's JSON.
    pub(super) body: String,
}

/// Writes results to one bucket and announces them on the queues that the jobs name.
#[derive(Debug)]
pub struct Publisher {
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    bucket: String,
    reply_urls: Mutex<HashMap<String, String>>,
}

impl Publisher {
    /// Writes results to `bucket`.
    #[must_use]
    pub fn new(s3: aws_sdk_s3::Client, sqs: aws_sdk_sqs::Client, bucket: &str) -> Self {
        Self { s3, sqs, bucket: bucket.to_owned(), reply_urls: Mutex::default() }
    }

    /// Stores the result. What is returned remains to be announced.
    ///
    /// # Errors
    /// When the result cannot be stored.
    pub(super) async fn store(&self, job: &Job, result: &JobResult) -> Result<Reply, PublishError> {
        let reply = reply(job, result)?;
        let label = match &result.outcome {
            Outcome::Classified { label, .. } => Some(label.as_str()),
            Outcome::Failed { .. } => None,
        };
        let key = ObjectKeys::new(job.id, &job.name).result;
        let mut object = self.object(&key, "application/json", reply.body.clone());
        if let Some(label) = label {
            object = object.metadata("label", utf8_percent_encode(label, HEADER).to_string());
        }
        // Both before the announcement: who hears of the answer finds it in either place. An error has no label to write.
        let by_name = async {
            match label.filter(|_| job.by_name) {
                Some(label) => {
                    let key = stem(&job.name);
                    self.put(key, self.object(key, "text/plain; charset=utf-8", label.to_owned())).await
                }
                None => Ok(()),
            }
        };
        tokio::try_join!(self.put(&key, object), by_name)?;
        Ok(reply)
    }

    fn object(&self, key: &str, content_type: &str, body: String) -> PutObjectFluentBuilder {
        self.s3.put_object().bucket(&self.bucket).key(key).content_type(content_type).body(ByteStream::from(body.into_bytes()))
    }

    async fn put(&self, key: &str, object: PutObjectFluentBuilder) -> Result<(), PublishError> {
        let failed = |reason| PublishError::S3 { bucket: self.bucket.clone(), key: key.to_owned(), reason };
        object.send().await.map(drop).map_err(|error| failed(chain(&error)))
    }

    /// Announces results, with one call for each queue where possible. A reply that cannot be sent is logged, no more: whoever
    /// asks for the result finds it in S3, and classifying the image again would not bring the queue back.
    pub(super) async fn announce(&self, replies: Vec<Reply>) {
        let mut queues: BTreeMap<String, Vec<Reply>> = BTreeMap::new();
        for reply in replies {
            queues.entry(reply.queue.clone()).or_default().push(reply);
        }
        for (queue, replies) in queues {
            for batch in batches(replies, |reply| reply.body.len()) {
                if let Err(error) = self.send(&queue, &batch).await {
                    // The queue may have been made anew elsewhere.
                    self.reply_urls.lock().await.remove(&queue);
                    tracing::warn!(queue, results = batch.len(), %error, "results are stored, but could not be announced");
                }
            }
        }
    }

    async fn send(&self, queue: &str, batch: &[Reply]) -> Result<(), ReplyError> {
        let url = self.reply_url(queue).await?;
        let entry = |(place, reply): (usize, &Reply)| {
            // Replies need no order among each other.
            let fifo = queue.ends_with(".fifo").then(|| reply.id.to_string());
            let entry = SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(&reply.body);
            entry.set_message_group_id(fifo.clone()).set_message_deduplication_id(fifo).build()
        };
        let entries: Result<Vec<_>, _> = batch.iter().enumerate().map(entry).collect();
        let entries = entries.map_err(|error| ReplyError::Send(chain(&error)))?;
        let sent = self.sqs.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await;
        for (place, reason) in refused(&sent.map_err(|error| ReplyError::Send(chain(&error)))?.failed) {
            let job = batch.get(place).map(|reply| reply.id);
            tracing::warn!(?job, queue, reason, "a result is stored, but could not be announced");
        }
        Ok(())
    }

    async fn reply_url(&self, name: &str) -> Result<String, QueueError> {
        if let Some(url) = self.reply_urls.lock().await.get(name) {
            return Ok(url.clone());
        }
        let url = url_of(&self.sqs, name).await?;
        self.reply_urls.lock().await.insert(name.to_owned(), url.clone());
        Ok(url)
    }
}

/// The announcement of a result, stored or not.
pub(super) fn reply(job: &Job, result: &JobResult) -> Result<Reply, serde_json::Error> {
    Ok(Reply { id: job.id, queue: job.reply_to.clone(), body: serde_json::to_string(result)? })
}

/// Whether one of the queues gets a whole batch.
pub(super) fn is_full(replies: &[&Reply]) -> bool {
    let Some(last) = replies.last() else { return false };
    replies.iter().filter(|reply| reply.queue == last.queue).count() >= MAX_BATCH
}

#[derive(Debug, thiserror::Error)]
enum ReplyError {
    #[error(transparent)]
    Url(#[from] QueueError),
    #[error("SQS SendMessageBatch: {0}")]
    Send(String),
}
