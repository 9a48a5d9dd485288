//! Gets a job's image: from its message or from S3, and never more bytes of all jobs together than there is room for.

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::{ErrorCode, Job, Outcome};

use crate::cause::chain;

/// Unit of the semaphore that counts bytes: its permits are limited to 32 bits a call.
const PERMIT_BYTES: u64 = 1024;

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

/// An encoded image, and the room that it takes.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Where images come from.
#[derive(Debug)]
pub(super) struct Images {
    s3: Client,
    max_bytes: u64,
    room: Arc<Semaphore>,
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

impl Images {
    /// Images of at most `max_bytes`, and of `max_buffered_bytes` together (one always fits).
    pub(super) fn new(s3: Client, max_bytes: u64, max_buffered_bytes: u64) -> Self {
        let permits = usize::try_from(permits(max_buffered_bytes.max(max_bytes))).unwrap_or(usize::MAX);
        Self { s3, max_bytes, room: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))) }
    }

    /// The image of `job`, once there is room for it.
    ///
    /// # Errors
    /// When it is missing, too large, or S3 fails.
    pub(super) async fn get(&self, job: &Job) -> Result<Encoded, ImageError> {
        let Some(image) = &job.image else { return self.fetch(job).await };
        let bytes = image.len() as u64;
        if bytes > self.max_bytes {
            return Err(ImageError::TooLarge { bytes, max_bytes: self.max_bytes });
        }
        Ok(Encoded { bytes: image.clone(), _room: self.room(bytes).await })
    }

    async fn fetch(&self, job: &Job) -> Result<Encoded, ImageError> {
        let object = match self.s3.get_object().bucket(&job.bucket).key(&job.key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Err(ImageError::Missing),
            Err(error) => return Err(failed(job, chain(&error))),
        };
        // S3 always tells the length; what does not is taken for as large as it may be.
        let bytes = object.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(self.max_bytes);
        if bytes > self.max_bytes {
            return Err(ImageError::TooLarge { bytes, max_bytes: self.max_bytes });
        }
        let room = self.room(bytes).await;
        Ok(Encoded { bytes: read(job, object, bytes).await?, _room: room })
    }

    async fn room(&self, bytes: u64) -> OwnedSemaphorePermit {
        let permits = u32::try_from(permits(bytes)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        #[expect(clippy::expect_used, reason = "the semaphore is never closed")]
        room.expect("there is room for images")
    }
}

/// The content, `most` bytes at most.
async fn read(job: &Job, object: GetObjectOutput, most: u64) -> Result<Bytes, ImageError> {
    let (mut body, mut content) = (object.body, BytesMut::with_capacity(usize::try_from(most).unwrap_or(0)));
    while let Some(chunk) = body.try_next().await.map_err(|error| failed(job, chain(&error)))? {
        if (content.len() + chunk.len()) as u64 > most {
            return Err(failed(job, format!("it has more than the {most} bytes that were announced")));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(content.freeze())
}

fn failed(job: &Job, reason: String) -> ImageError {
    ImageError::S3 { bucket: job.bucket.clone(), key: job.key.clone(), reason }
}

fn permits(bytes: u64) -> u64 {
    bytes.div_ceil(PERMIT_BYTES)
}
