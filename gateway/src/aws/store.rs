//! Images and results as objects in S3.

use std::pin::Pin;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use tokio::sync::Semaphore;
use uuid::Uuid;
use wire::{JobResult, ObjectKeys};

use super::AwsError;
use crate::content::{Content, Place};

/// Images written at once. Each takes a connection with its buffers; at 30 ms a write these are 1,000 images a second.
const PUTS_AT_ONCE: usize = 32;

/// The input and the output bucket of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) client: Client,
    pub(super) input: String,
    pub(super) output: String,
    puts: Arc<Semaphore>,
}

/// What S3 knows of an id.
#[derive(Debug)]
pub(crate) enum Found {
    /// The result is there.
    Result(Box<JobResult>),
    /// Only the image, of this name, is there.
    Waiting(String),
}

impl Store {
    pub(crate) fn new(client: Client, input: String, output: String) -> Self {
        Self { client, input, output, puts: Arc::new(Semaphore::new(PUTS_AT_ONCE)) }
    }

    /// Name of the bucket that images are in.
    pub(crate) fn input_bucket(&self) -> &str {
        &self.input
    }

    /// Whether both buckets can be reached.
    pub(crate) async fn check(&self) -> Result<(), AwsError> {
        for bucket in [&self.input, &self.output] {
            let head = self.client.head_bucket().bucket(bucket).send().await;
            head.map_err(|error| AwsError::call(format!("the bucket {bucket:?} cannot be reached"), error))?;
        }
        Ok(())
    }

    /// Writes an image.
    pub(crate) async fn put(&self, key: &str, image: &Content, content_type: &str) -> Result<(), AwsError> {
        let _turn = self.puts.acquire().await;
        let put = self.client.put_object().bucket(&self.input).key(key).content_type(content_type).body(body(image));
        match boxed(put.send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(AwsError::call(format!("the image could not be stored in the bucket {:?}", self.input), error)),
        }
    }

    /// The result of a job whose name is known, if it is there.
    pub(crate) async fn result(&self, id: Uuid, name: &str) -> Result<Option<JobResult>, AwsError> {
        self.read(&ObjectKeys::new(id, name).result).await
    }

    /// What there is of a job of which only the id is known.
    pub(crate) async fn find(&self, id: Uuid) -> Result<Option<Found>, AwsError> {
        let prefix = ObjectKeys::prefix(id);
        if let Some(key) = self.first(&self.output, &prefix).await?
            && let Some(result) = self.read(&key).await?
        {
            return Ok(Some(Found::Result(Box::new(result))));
        }
        let image = self.first(&self.input, &prefix).await?;
        Ok(image.map(|key| Found::Waiting(key[prefix.len()..].to_owned())))
    }

    pub(super) async fn first(&self, bucket: &str, prefix: &str) -> Result<Option<String>, AwsError> {
        let list = boxed(self.client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1).send()).await;
        let list = list.map_err(|error| AwsError::call(format!("the bucket {bucket:?} cannot be listed"), error))?;
        Ok(list.contents.and_then(|objects| objects.into_iter().find_map(|object| object.key)))
    }

    /// The result in the object `key`, if it is there.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<JobResult>, AwsError> {
        let failed = || format!("results cannot be read from the bucket {:?}", self.output);
        let Some(object) = self.get(&self.output, key, failed).await? else { return Ok(None) };
        let body = object.body.collect().await.map_err(|error| AwsError::call(failed(), error))?;
        let result = serde_json::from_slice(&body.into_bytes());
        result.map(Some).map_err(|source| AwsError::NotAResult { key: key.to_owned(), source })
    }
}

/// A call to AWS, in memory of its own while it is under way: each takes kilobytes of state, and an upload that waits for its turn or
/// its result, as most do, would keep room for the largest that it may ever make.
pub(super) fn boxed<T>(call: impl Future<Output = T> + Send) -> Pin<Box<impl Future<Output = T> + Send>> {
    Box::pin(call)
}

/// A body that can be sent again when the first try fails.
fn body(image: &Content) -> ByteStream {
    match image.place() {
        Place::Memory { bytes, .. } => ByteStream::from(bytes.clone()),
        Place::File(file) => {
            let file = Arc::clone(file);
            ByteStream::new(SdkBody::retryable(move || SdkBody::from_body_1_x(file.body())))
        }
    }
}
