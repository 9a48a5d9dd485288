//! The job: one uploaded image, as it waits in the request queue.

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::inline;

/// A queue may be set to accept no more bytes than this (`MaximumMessageSize` 1024), and a job without its image still fits.
pub const SMALLEST_MESSAGE_LIMIT: usize = 1024;

/// One image to classify. Its JSON is the body of the SQS message. Fields that a reader does not know, it ignores: gateways and
/// workers are not replaced at the same moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// UUIDv7: sorts by time of submission. Every step is idempotent by it.
    pub id: Uuid,
    /// File name as the uploader gave it, cleaned by [`crate::file_name`].
    pub name: String,
    /// Bucket of the image.
    pub bucket: String,
    /// Object key of the image.
    pub key: String,
    /// Name (not URL) of the queue that the result is announced on.
    pub reply_to: String,
    /// When the gateway accepted the image.
    pub submitted_at: Timestamp,
    /// W3C trace context of the upload, when it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What tracing systems add to it, when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracestate: Option<String>,
    /// Whether the answer is to be written under the image's name as well, for those who read the buckets so
    /// ([`crate::stem`] in the output bucket, its body the label).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_name: bool,
    /// The encoded image itself, in base64 when it travels, so that the worker need not fetch it. It is in the bucket as well.
    #[serde(default, with = "inline", skip_serializing_if = "Option::is_none")]
    pub image: Option<Bytes>,
}

/// Why a message is not a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The body is not the JSON of a [`Job`].
    #[error("the message is not a job: {0}; jobs are sent by the gateway")]
    Malformed(#[from] serde_json::Error),
    /// The job would not fit a message, even without its image.
    #[error("the job of {name:?} has {bytes} bytes, a message may have {max_bytes}")]
    TooLong {
        /// The image's file name.
        name: String,
        /// Length of the encoded job in bytes.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
}

impl Job {
    /// Reads the body of a message.
    ///
    /// # Errors
    /// [`JobError::Malformed`] when it is anything else than a job.
    pub fn from_message(body: &str) -> Result<Self, JobError> {
        Ok(serde_json::from_str(body)?)
    }

    /// The body of a message of at most `max_bytes`, which is what the queue takes (`MaximumMessageSize`, never less than
    /// [`SMALLEST_MESSAGE_LIMIT`]). The image is in it if it fits, or else is left to be fetched; without it the message is below 1 KiB,
    /// if need be by leaving `tracestate` behind.
    ///
    /// # Errors
    /// [`JobError::TooLong`] when names and keys are so long that it would not fit.
    pub fn to_message(&self, max_bytes: usize) -> Result<String, JobError> {
        let fits = |image: &Bytes| inline::encoded_len(image.len()).is_some_and(|bytes| bytes < max_bytes);
        if self.image.as_ref().is_some_and(fits) {
            let body = serde_json::to_string(self)?;
            if body.len() <= max_bytes {
                return Ok(body);
            }
        }
        let max_bytes = max_bytes.min(SMALLEST_MESSAGE_LIMIT);
        let mut alone = Self { image: None, ..self.clone() };
        let mut body = serde_json::to_string(&alone)?;
        if body.len() > max_bytes && alone.tracestate.take().is_some() {
            body = serde_json::to_string(&alone)?;
        }
        if body.len() > max_bytes {
            return Err(JobError::TooLong { name: self.name.clone(), bytes: body.len(), max_bytes });
        }
        Ok(body)
    }
}
