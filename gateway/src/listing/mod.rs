//! Many images at once, as S3 has them: the newest, or those of some ids, each with its result where there is one. Knows nothing of
//! HTTP.

mod finished;
mod keys;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use uuid::Uuid;
use wire::JobResult;

use self::keys::{AtMost, ours};
use self::search::Search;
use crate::aws::{AwsError, Bucket, Page};
use crate::core::Core;

pub(crate) use finished::Finished;

/// Calls to S3 that one list makes side by side.
const AT_ONCE: usize = 16;

/// One image of a list.
#[derive(Debug)]
pub(crate) enum Listed {
    /// Classified or failed.
    Finished(Arc<JobResult>),
    /// Without a result yet.
    Pending { id: Uuid, name: String },
}

/// The newest `limit` images, of those before the id `before` if there is one; and the id before which the list goes on, if it does.
pub(crate) async fn newest(core: &Core, limit: usize, before: Option<Uuid>) -> Result<(Vec<Listed>, Option<Uuid>), AwsError> {
    let now = u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default();
    // One more than is shown tells whether the list goes on.
    let mut search = Search::new(limit + 1, before, now);
    while let Some(after) = search.next() {
        search.learn(&core.store.page(Bucket::Input, &after).await?);
    }
    let mut names = search.found();
    let more = names.len() > limit;
    names.truncate(limit);
    let next = names.last().filter(|_| more).map(|(id, _)| *id);
    let ids: Vec<Uuid> = names.iter().map(|(id, _)| *id).collect();
    let mut results = results(core, &ids).await?;
    let listed = names.into_iter().map(|(id, name)| match results.remove(&id) {
        Some(result) => Listed::Finished(result),
        None => Listed::Pending { id, name },
    });
    Ok((listed.collect(), next))
}

/// The images of these ids, in their order; what does not exist is left out.
pub(crate) async fn of(core: &Core, ids: &[Uuid]) -> Result<Vec<Listed>, AwsError> {
    let results = results(core, ids).await?;
    let waiting: Vec<Uuid> = ids.iter().copied().filter(|id| !results.contains_key(id)).collect();
    let images = keys_of(core, Bucket::Input, &waiting).await?;
    let listed = ids.iter().filter_map(|id| match (results.get(id), images.get(id)) {
        (Some(result), _) => Some(Listed::Finished(Arc::clone(result))),
        (None, Some(key)) => ours(key).map(|(id, name)| Listed::Pending { id, name: name.to_owned() }),
        (None, None) => None,
    });
    Ok(listed.collect())
}

/// The results that there are.
async fn results(core: &Core, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Arc<JobResult>>, AwsError> {
    let keys = keys_of(core, Bucket::Output, ids).await?;
    let read = stream::iter(keys).map(|(id, key)| async move { Ok(result(core, id, &key).await?.map(|result| (id, result))) });
    let read: Vec<Option<_>> = read.buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

/// An object that is no result hides none of the others.
async fn result(core: &Core, id: Uuid, key: &str) -> Result<Option<Arc<JobResult>>, AwsError> {
    if let Some(result) = core.finished.get(id) {
        return Ok(Some(result));
    }
    match core.store.read(key).await {
        Ok(result) => Ok(result.map(|result| core.finished.learn(Arc::new(result)))),
        Err(error @ AwsError::NotAResult { .. }) => {
            tracing::warn!(job = %id, %error, "a list shows an image as waiting");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The first key of each id that has any. Ids that were given out together cost one call together.
async fn keys_of(core: &Core, bucket: Bucket, ids: &[Uuid]) -> Result<BTreeMap<Uuid, String>, AwsError> {
    let mut sorted = AtMost::new(ids);
    let Some(after) = sorted.next() else { return Ok(BTreeMap::new()) };
    sorted.learn(&core.store.page(bucket, &after).await?);
    let parts = sorted.parts(AT_ONCE);
    let walks = stream::iter(parts).map(|part| walk(core, bucket, part));
    let mut keys = sorted.found;
    let walked: Vec<AtMost> = walks.buffer_unordered(AT_ONCE).try_collect().await?;
    keys.extend(walked.into_iter().flat_map(|part| part.found));
    Ok(keys)
}

async fn walk(core: &Core, bucket: Bucket, mut part: AtMost) -> Result<AtMost, AwsError> {
    while let Some(after) = part.next() {
        let page: Page = core.store.page(bucket, &after).await?;
        part.learn(&page);
    }
    Ok(part)
}
