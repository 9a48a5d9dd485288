//! What is asked of images that were accepted before: lists, the image itself, and that both image and result go.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures::{Stream, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use uuid::Uuid;
use warp::Reply;
use warp::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG};
use warp::http::header::{HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use warp::http::{Response, StatusCode};

use super::query::{Wanted, wanted};
use super::response;
use crate::answer;
use crate::aws::{Bucket, Content, Objects};
use crate::core::Core;
use crate::listing::{self, Listed};
use crate::refusal::Refusal;

/// `GET /v1/images`: the newest, or those that are asked for.
pub(crate) async fn list(core: &Core, query: &str) -> Result<Response<String>, Refusal> {
    let body = match wanted(query)? {
        Wanted::Newest { limit, before } => {
            let (images, next) = listing::newest(core, limit, before).await.map_err(Arc::new)?;
            match next {
                Some(next) => json!({"images": views(&images), "next": next}),
                None => json!({"images": views(&images)}),
            }
        }
        Wanted::Ids(ids) => json!({"images": views(&listing::of(core, &ids).await.map_err(Arc::new)?)}),
    };
    Ok(response::json(&body))
}

fn views(images: &[Listed]) -> Vec<Value> {
    let view = |image: &Listed| match image {
        Listed::Finished(job) => answer::finished(job),
        Listed::Pending { id, name } => answer::pending(*id, name),
    };
    images.iter().map(view).collect()
}

/// `DELETE /v1/images/{id}`. A job that waits would have its image taken away: it is left.
pub(crate) async fn delete(core: &Core, id: &str) -> Result<Response<String>, Refusal> {
    let id = parsed(id)?;
    match core.store.objects(id).await.map_err(Arc::new)? {
        Objects { image: None, result: None } => return Err(unknown(&id.to_string())),
        Objects { image: Some(_), result: None } => return Err(Refusal::StillWaiting { id }),
        Objects { image, result: Some(result) } => {
            // The result last: while it is there, a deletion that was cut short can be asked for again.
            for (bucket, key) in image.map(|key| (Bucket::Input, key)).into_iter().chain([(Bucket::Output, result)]) {
                core.store.delete(bucket, &key).await.map_err(Arc::new)?;
            }
        }
    }
    core.finished.forget(id);
    tracing::debug!(job = %id, "an image and its result were deleted");
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `GET /v1/images/{id}/content`. The bytes are a stranger's: whoever opens them by themselves gets a page that may do nothing.
pub(crate) async fn content(core: &Core, id: &str) -> Result<warp::reply::Response, Refusal> {
    let Some(content) = core.store.content(parsed(id)?).await.map_err(Arc::new)? else { return Err(unknown(id)) };
    let Content { name, media_type, length, etag, body } = content;
    let media_type = media_type.filter(|media_type| media_type.starts_with("image/"));
    let disposition = format!("inline; filename*=UTF-8''{}", utf8_percent_encode(&name, NON_ALPHANUMERIC));
    let headers = [
        (CONTENT_TYPE, Some(media_type.unwrap_or_else(|| "application/octet-stream".to_owned()))),
        (CONTENT_LENGTH, length.map(|length| length.to_string())),
        (CONTENT_DISPOSITION, Some(disposition)),
        (ETAG, etag),
        // An id's image never changes, but it may be deleted.
        (CACHE_CONTROL, Some("private, max-age=3600".to_owned())),
        (X_CONTENT_TYPE_OPTIONS, Some("nosniff".to_owned())),
        (CONTENT_SECURITY_POLICY, Some("default-src 'none'; sandbox".to_owned())),
    ];
    let mut response = warp::reply::stream(chunks(body)).into_response();
    let given = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value?).ok()?)));
    response.headers_mut().extend(given.collect::<Vec<(HeaderName, HeaderValue)>>());
    Ok(response)
}

fn chunks(body: ByteStream) -> impl Stream<Item = Result<Bytes, aws_sdk_s3::primitives::ByteStreamError>> + Send + Sync + 'static {
    stream::try_unfold(body, |mut body| async move { Ok(body.try_next().await?.map(|chunk| (chunk, body))) })
}

fn parsed(id: &str) -> Result<Uuid, Refusal> {
    Uuid::parse_str(id).map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Refusal {
    Refusal::NoSuchImage { id: id.to_owned() }
}
