//! Images and results as objects in S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use uuid::Uuid;
use wire::{JobResult, ObjectKeys};

use super::AwsError;

/// The input and the output bucket of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(super) client: Client,
    pub(super) input: String,
    pub(super) output: String,
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
        Self { client, input, output }
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
    pub(crate) async fn put(&self, key: &str, image: Bytes, content_type: &str) -> Result<(), AwsError> {
        let put = self.client.put_object().bucket(&self.input).key(key).content_type(content_type).body(ByteStream::from(image));
        match put.send().await {
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
        let list = self.client.list_objects_v2().bucket(bucket).prefix(prefix).max_keys(1).send().await;
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
