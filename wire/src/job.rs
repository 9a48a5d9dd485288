//! The job: one uploaded image, as it waits in the request queue.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A queue may be set to accept no more than this (`MaximumMessageSize` 1024), and a job must still fit.
const MAX_MESSAGE_BYTES: usize = 1024;

/// One image to classify. Its JSON is the body of the SQS message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
}

/// Why a message is not a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The body is not the JSON of a [`Job`].
    #[error("the message is not a job: {0}; jobs are sent by the gateway")]
    Malformed(#[from] serde_json::Error),
    /// The job would not fit a queue that takes 1,024 bytes.
    #[error("the job of {name:?} has {bytes} bytes, a message may have {MAX_MESSAGE_BYTES}")]
    TooLong {
        /// The image's file name.
        name: String,
        /// Length of the encoded job in bytes.
        bytes: usize,
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

    /// The body of the message, below 1 KiB.
    ///
    /// # Errors
    /// [`JobError::TooLong`] when names and keys are so long that it would not fit.
    pub fn to_message(&self) -> Result<String, JobError> {
        let body = serde_json::to_string(self)?;
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(JobError::TooLong { name: self.name.clone(), bytes: body.len() });
        }
        Ok(body)
    }
}
