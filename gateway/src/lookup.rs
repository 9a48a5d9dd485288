//! What became of an id, whoever accepted it and whenever: S3 knows. Knows nothing of HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;
use wire::JobResult;

use crate::aws::{AwsError, Found};
use crate::core::Core;
use crate::upload::{self, Looks};

/// Another replica may get the announcement, so that S3 is looked into more often.
const LOOKS: Looks = Looks { first: Duration::from_secs(1), longest: Duration::from_secs(5) };

/// What is known of an id.
#[derive(Debug)]
pub(crate) enum Known {
    /// Classified or failed.
    Finished(Arc<JobResult>),
    /// Waiting under this name.
    Pending(String),
}

/// Finds out, waiting up to `patience` while there is no result yet; none when no such image exists.
pub(crate) async fn look_up(core: &Core, id: Uuid, patience: Duration) -> Result<Option<Known>, AwsError> {
    let deadline = Instant::now() + patience;
    // Before S3 is asked: what is announced between asking and waiting would be missed.
    let mut waiter = core.registry.wait(id);
    let name = match core.store.find(id).await? {
        None => return Ok(None),
        Some(Found::Result(result)) => return Ok(Some(Known::Finished((*result).into()))),
        Some(Found::Waiting(name)) => name,
    };
    let result = tokio::select! {
        result = upload::result(core, &mut waiter, &name, deadline, LOOKS) => result,
        () = core.leaving.cancelled() => None,
    };
    Ok(Some(match result {
        Some(result) => Known::Finished(result),
        None => Known::Pending(name),
    }))
}
