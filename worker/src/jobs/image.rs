//! Gets a job's image from S3.

use aws_sdk_s3::Client;
use bytes::Bytes;
use wire::{ErrorCode, Job, Outcome};

use crate::cause::chain;

/// An image was not had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    /// There is no such object: no retry brings it back.
    #[error("the image is no longer in its bucket; upload it again")]
    Missing,
    /// More bytes than the limit.
    #[error("the image has {bytes} bytes, {max_bytes} are the most that are taken; make it smaller")]
    TooLarge {
        /// Size of the object.
        bytes: u64,
        /// The limit.
        max_bytes: u64,
    },
    /// S3 did not give it; it may the next time.
    #[error("the image s3://{bucket}/{key} cannot be read: {reason}")]
    S3 {
        /// The bucket.
        bucket: String,
        /// The object key.
        key: String,
        /// What S3 said.
        reason: String,
    },
}

impl ImageError {
    /// What the uploader is told, when no retry would help.
    pub(super) fn outcome(&self) -> Option<Outcome> {
        let code = match self {
            Self::Missing => ErrorCode::Missing,
            Self::TooLarge { .. } => ErrorCode::TooLarge,
            Self::S3 { .. } => return None,
        };
        Some(Outcome::Failed { code, message: self.to_string() })
    }
}

/// The bytes of the job's image.
///
/// # Errors
/// When it is missing, has more than `max_bytes`, or S3 fails.
pub(super) async fn fetch(s3: &Client, job: &Job, max_bytes: u64) -> Result<Bytes, ImageError> {
    let failed = |reason: String| ImageError::S3 { bucket: job.bucket.clone(), key: job.key.clone(), reason };
    let object = match s3.get_object().bucket(&job.bucket).key(&job.key).send().await {
        Ok(object) => object,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Err(ImageError::Missing),
        Err(error) => return Err(failed(chain(&error))),
    };
    let bytes = object.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0);
    if bytes > max_bytes {
        return Err(ImageError::TooLarge { bytes, max_bytes });
    }
    let content = object.body.collect().await.map_err(|error| failed(chain(&error)))?;
    Ok(content.into_bytes())
}
