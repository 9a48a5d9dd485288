//! The two services that the gateway stands on, each behind the few calls that it needs.
//! Knows nothing of HTTP requests or of who waits for what.

mod objects;
mod queue;
mod store;

pub(crate) use objects::{Bucket, Content, Objects, Page};
pub(crate) use queue::{Outgoing, Queue};
pub(crate) use store::{Found, Store};

use std::error::Error;

/// Why S3 or SQS did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AwsError {
    /// No answer, or one that says no.
    #[error("{what}: {}", chain(.source.as_ref()))]
    Call {
        /// What could not be done, for people outside too: names buckets and queues, no addresses.
        what: String,
        /// The SDK's account of it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// An object in the output bucket that no worker of ours can have written.
    #[error("the object {key:?} in the output bucket is not a result: {source}")]
    NotAResult {
        /// Its key.
        key: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// An object among the claims of Idempotency-Keys that is none.
    #[error("the object {key:?} in the input bucket is no claim to an Idempotency-Key: {source}; delete it, or use another key")]
    NotAClaim {
        /// Its key.
        key: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// S3 says that an object is there, and that it is not.
    #[error("the object {key:?} in the input bucket is being written by another request")]
    Contended {
        /// Its key.
        key: String,
    },
}

impl AwsError {
    fn call(what: impl Into<String>, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Call { what: what.into(), source: Box::new(source) }
    }

    /// What went wrong, without the SDK's details, which are for the log alone.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::Call { what, .. } => what.clone(),
            Self::NotAResult { .. } | Self::NotAClaim { .. } | Self::Contended { .. } => self.to_string(),
        }
    }
}

/// An error and what it came from: the SDK's errors alone say no more than "service error".
fn chain(error: &(dyn Error + 'static)) -> String {
    let errors = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    errors.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
