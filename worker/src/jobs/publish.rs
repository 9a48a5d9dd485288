//! Makes a result known: the object in S3 is the truth, the reply only wakes who waits for it.

use std::collections::HashMap;

use aws_sdk_s3::primitives::ByteStream;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tokio::sync::Mutex;
use wire::{Job, JobResult, ObjectKeys, Outcome};

use super::queue::{QueueError, url_of};
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

    /// Stores the result, then announces it. A reply that cannot be sent is logged, no more: whoever asks for the result
    /// finds it in S3, and classifying the image again would not bring the queue back.
    ///
    /// # Errors
    /// When the result cannot be stored.
    pub(super) async fn publish(&self, job: &Job, result: &JobResult) -> Result<(), PublishError> {
        let body = serde_json::to_string(result)?;
        self.store(job, result, body.clone()).await?;
        if let Err(error) = self.reply(job, body).await {
            tracing::warn!(job = %job.id, queue = job.reply_to, %error, "the result is stored, but could not be announced");
        }
        Ok(())
    }

    async fn store(&self, job: &Job, result: &JobResult, body: String) -> Result<(), PublishError> {
        let key = ObjectKeys::new(job.id, &job.name).result;
        let object = self.s3.put_object().bucket(&self.bucket).key(&key).content_type("application/json");
        let object = match &result.outcome {
            Outcome::Classified { label, .. } => object.metadata("label", utf8_percent_encode(label, HEADER).to_string()),
            Outcome::Failed { .. } => object,
        };
        let sent = object.body(ByteStream::from(body.into_bytes())).send().await;
        let failed = |reason| PublishError::S3 { bucket: self.bucket.clone(), key, reason };
        sent.map(drop).map_err(|error| failed(chain(&error)))
    }

    async fn reply(&self, job: &Job, body: String) -> Result<(), ReplyError> {
        let url = self.reply_url(&job.reply_to).await?;
        let message = self.sqs.send_message().queue_url(url).message_body(body);
        let message = match job.reply_to.ends_with(".fifo") {
            // Replies need no order among each other.
            true => message.message_group_id(job.id.to_string()).message_deduplication_id(job.id.to_string()),
            false => message,
        };
        match message.send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                // The queue may have been made anew elsewhere.
                self.reply_urls.lock().await.remove(&job.reply_to);
                Err(ReplyError::Send(chain(&error)))
            }
        }
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

#[derive(Debug, thiserror::Error)]
enum ReplyError {
    #[error(transparent)]
    Url(#[from] QueueError),
    #[error("SQS SendMessage: {0}")]
    Send(String),
}
