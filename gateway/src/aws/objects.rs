//! What the gateway does with objects beyond storing an image and reading a result: lists, claims, deletions, contents, and results
//! that it writes itself.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use uuid::Uuid;
use wire::{JobResult, ObjectKeys, Outcome, stem};

use super::store::boxed;
use super::{AwsError, Store};

/// One of the two buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    /// Images.
    Input,
    /// Results.
    Output,
}

/// Some keys of a bucket in their order.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) keys: Vec<String>,
    /// Whether there are keys behind the last.
    pub(crate) more: bool,
}

/// An image as it was stored.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) name: String,
    pub(crate) media_type: Option<String>,
    /// In bytes.
    pub(crate) length: Option<i64>,
    pub(crate) etag: Option<String>,
    pub(crate) body: ByteStream,
}

/// The keys of one job's objects, as far as they are there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Objects {
    pub(crate) image: Option<String>,
    pub(crate) result: Option<String>,
}

impl Store {
    /// Up to 1,000 keys behind `after`.
    pub(crate) async fn page(&self, bucket: Bucket, after: &str) -> Result<Page, AwsError> {
        let name = self.name(bucket);
        let list = boxed(self.client.list_objects_v2().bucket(name).start_after(after).send()).await;
        let list = list.map_err(|error| AwsError::call(format!("the bucket {name:?} cannot be listed"), error))?;
        let keys = list.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        Ok(Page { keys, more: list.is_truncated.unwrap_or(false) })
    }

    /// What there is of a job.
    pub(crate) async fn objects(&self, id: Uuid) -> Result<Objects, AwsError> {
        let prefix = ObjectKeys::prefix(id);
        let (image, result) = tokio::try_join!(self.first(&self.input, &prefix), self.first(&self.output, &prefix))?;
        Ok(Objects { image, result })
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, bucket: Bucket, key: &str) -> Result<(), AwsError> {
        let name = self.name(bucket);
        let deleted = boxed(self.client.delete_object().bucket(name).key(key).send()).await;
        deleted.map(drop).map_err(|error| AwsError::call(format!("an object could not be deleted from the bucket {name:?}"), error))
    }

    /// Writes an object into the input bucket if there is none of its key; false if there is, or is just being written.
    pub(crate) async fn put_new(&self, key: &str, body: String) -> Result<bool, AwsError> {
        let put = self.client.put_object().bucket(&self.input).key(key).content_type("application/json").if_none_match("*");
        match boxed(put.body(ByteStream::from(body.into_bytes())).send()).await {
            Ok(_) => Ok(true),
            // There is one (412), or another is written at this moment (409).
            Err(error) if matches!(status(&error), Some(409 | 412)) => Ok(false),
            Err(error) => Err(AwsError::call(format!("the Idempotency-Key could not be noted in the bucket {:?}", self.input), error)),
        }
    }

    /// A small object of the input bucket, if it is there.
    pub(crate) async fn text(&self, key: &str) -> Result<Option<Bytes>, AwsError> {
        let failed = || format!("the bucket {:?} cannot be read", self.input);
        let Some(object) = self.get(&self.input, key, failed).await? else { return Ok(None) };
        let body = object.body.collect().await.map_err(|error| AwsError::call(failed(), error))?;
        Ok(Some(body.into_bytes()))
    }

    /// The image of a job, if it is there.
    pub(crate) async fn content(&self, id: Uuid) -> Result<Option<Content>, AwsError> {
        let prefix = ObjectKeys::prefix(id);
        let Some(key) = self.first(&self.input, &prefix).await? else { return Ok(None) };
        let failed = || format!("the image cannot be read from the bucket {:?}", self.input);
        let Some(object) = self.get(&self.input, &key, failed).await? else { return Ok(None) };
        Ok(Some(Content {
            name: key[prefix.len()..].to_owned(),
            media_type: object.content_type,
            length: object.content_length,
            etag: object.e_tag,
            body: object.body,
        }))
    }

    /// Writes a result as a worker would, and the label under the image's name where that is wished.
    pub(crate) async fn put_result(&self, job: &JobResult, by_name: bool) -> Result<(), AwsError> {
        let key = ObjectKeys::new(job.id, &job.name).result;
        let body = serde_json::to_string(job).map_err(|source| AwsError::NotAResult { key: key.clone(), source })?;
        let result = self.put_text(&key, "application/json", body);
        let label = async {
            match &job.outcome {
                Outcome::Classified { label, .. } if by_name => {
                    self.put_text(stem(&job.name), "text/plain; charset=utf-8", label.clone()).await
                }
                _ => Ok(()),
            }
        };
        tokio::try_join!(result, label).map(drop)
    }

    async fn put_text(&self, key: &str, content_type: &str, body: String) -> Result<(), AwsError> {
        let put = self.client.put_object().bucket(&self.output).key(key).content_type(content_type);
        let put = boxed(put.body(ByteStream::from(body.into_bytes())).send()).await;
        put.map(drop).map_err(|error| AwsError::call(format!("the result could not be stored in the bucket {:?}", self.output), error))
    }

    /// An object, if it is there; `failed` says what could not be done.
    pub(super) async fn get(&self, bucket: &str, key: &str, failed: impl Fn() -> String) -> Result<Option<GetObjectOutput>, AwsError> {
        match boxed(self.client.get_object().bucket(bucket).key(key).send()).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(AwsError::call(failed(), error)),
        }
    }

    fn name(&self, bucket: Bucket) -> &str {
        match bucket {
            Bucket::Input => &self.input,
            Bucket::Output => &self.output,
        }
    }
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
