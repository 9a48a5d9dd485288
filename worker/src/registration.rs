//! The worker says that it is ready: one tag on its own instance, which the operator reads.

use std::time::Duration;

use ec2::Verdict;
use jiff::Timestamp;
use serde::Serialize;

use crate::model::Model;

/// Pauses between tries, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Value of the tag `classifierfleet:ready`, as JSON of at most 256 characters (names and versions are short).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    at: Timestamp,
    images_per_second: f64,
    model: String,
}

impl Ready {
    /// Ready at `at` with `model`, at a measured rate.
    #[must_use]
    pub fn new(at: Timestamp, images_per_second: f64, model: &Model) -> Self {
        Self::named(at, images_per_second, model.to_string())
    }

    fn named(at: Timestamp, images_per_second: f64, model: String) -> Self {
        // Seconds and tenths: a tag is short, and neither is more exact.
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        Self { at, images_per_second: (images_per_second * 10.0).round() / 10.0, model }
    }
}

/// Sets the ready tag on the instance `id`: the one order that a worker gives EC2 in its life. Many workers that boot at
/// once are throttled; then, and when there is no answer, it is tried again.
///
/// # Errors
/// When EC2 refuses, mostly because the instance's role may not tag it.
pub async fn register(ec2: &ec2::Ec2, id: &str, ready: &Ready) -> Result<(), RegistrationError> {
    let tags = [(ec2::tags::READY.to_owned(), serde_json::to_string(ready)?)];
    let mut pause = FIRST_PAUSE;
    loop {
        match ec2.create_tags(&[id.to_owned()], &tags).await {
            Err(error) if error.verdict() != Verdict::Refused => {
                tracing::warn!(%error, retry_in_seconds = pause.as_secs(), "the operator could not be told that this worker is ready");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => return Ok(answer?),
        }
    }
}

/// The operator could not be told.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// EC2 refused.
    #[error("the instance cannot tag itself {}; its role needs ec2:CreateTags on itself", ec2::tags::READY)]
    Ec2(#[from] ec2::Error),
    /// The value is no JSON: never happens with finite numbers.
    #[error("the tag {} cannot be written as JSON", ec2::tags::READY)]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::Ready;

    #[test]
    fn the_tag_is_short_json() {
        let at = "2026-11-21T10:00:00.123456789Z".parse().unwrap();
        let tag = serde_json::to_string(&Ready::named(at, 31.2345, "efficientnet-lite0@1".to_owned())).unwrap();
        assert_eq!(tag, r#"{"at":"2026-11-21T10:00:00Z","imagesPerSecond":31.2,"model":"efficientnet-lite0@1"}"#);
        let longest = format!("{}@{}", "n".repeat(64), "1".repeat(32));
        assert!(serde_json::to_string(&Ready::named(at, 12_345.6, longest)).unwrap().len() <= 256);
    }
}
