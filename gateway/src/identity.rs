//! Which id an uploaded image gets, and what is known of it already: by its request's Idempotency-Key, or by an answer that is kept for
//! the same bytes. Knows nothing of how it is stored or queued.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;
use wire::JobResult;

use crate::aws::{AwsError, Objects};
use crate::content::Content;
use crate::core::Core;
use crate::digest::Digest;
use crate::idempotency::{self, Claimed};
use crate::refusal::Refusal;
use crate::upload::Origin;

/// An image and what is known of it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) id: Uuid,
    /// Of its bytes, when somebody asks for it.
    pub(crate) digest: Option<Digest>,
    pub(crate) known: Known,
}

/// What need not be done any more.
#[derive(Debug)]
pub(crate) enum Known {
    /// Nothing: it is to be stored and queued.
    New,
    /// Its answer is known, by another image of the same bytes; image and answer are to be stored.
    Answer(JobResult),
    /// It is in S3, and may be in the queue.
    Stored,
    /// Its result is in S3; whether the image is, too, is said.
    Finished { result: JobResult, stored: bool },
}

/// The identity of the image at `place` of the request.
///
/// # Errors
/// [`Refusal::KeyReused`] when the request's key was used for another image.
pub(crate) async fn identify(core: &Core, origin: &Origin, place: usize, name: &str, content: &Content) -> Result<Identity, Refusal> {
    let digest = content.sha256();
    let claimed = match (&origin.key, digest) {
        (Some(key), Some(digest)) => idempotency::claim(&core.store, key, place, name, digest).await?,
        _ => Claimed { id: Uuid::now_v7(), first: true },
    };
    let Claimed { id, first } = claimed;
    let found = if first { None } else { found(core, id).await.map_err(Arc::new)? };
    let answer = || digest.and_then(|digest| kept(core, digest)).map(|result| Known::Answer(again(&result, id, name)));
    let known = found.or_else(answer).unwrap_or(Known::New);
    Ok(Identity { id, digest, known })
}

/// What a request that came before left: it may have come to an end anywhere between its claim and its answer.
async fn found(core: &Core, id: Uuid) -> Result<Option<Known>, AwsError> {
    let Objects { image, result } = core.store.objects(id).await?;
    let stored = image.is_some();
    if let Some(key) = result
        && let Some(result) = core.store.read(&key).await?
    {
        return Ok(Some(Known::Finished { result, stored }));
    }
    Ok(stored.then_some(Known::Stored))
}

fn kept(core: &Core, digest: Digest) -> Option<Arc<JobResult>> {
    if !core.cache.is_on() {
        return None;
    }
    let result = core.cache.get(digest, Instant::now());
    core.metrics.cache(if result.is_some() { "hit" } else { "miss" });
    result
}

/// The same answer, to another image.
fn again(result: &JobResult, id: Uuid, name: &str) -> JobResult {
    let now = Timestamp::now();
    JobResult { id, name: name.to_owned(), submitted_at: now, finished_at: now, cached: true, ..result.clone() }
}
