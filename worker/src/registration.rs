//! The worker says that it is ready and how quick it is, or that it had to be started again: tags on its own instance, which the
//! operator reads.

use std::convert::Infallible;
use std::time::Duration;

use ec2::Verdict;
use jiff::Timestamp;
use serde::Serialize;

use crate::cause::chain;
use crate::jobs::Pace;
use crate::model::Model;

/// Pauses between tries, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A rate that differs by more than this part of it is told again.
const WORTH_TELLING: f64 = 0.25;
/// Images that make a new rate, rather than a chance.
const IMAGES: u64 = 50;
/// EC2's API is shared by all machines of the account.
const EVERY: Duration = Duration::from_secs(60);

/// Value of the tag `classifierfleet:ready`, as JSON of at most 256 characters (names and versions are short).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    at: Timestamp,
    images_per_second: f64,
    model: String,
}

/// Value of the tag `classifierfleet:restarted`, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Restarted {
    at: Timestamp,
    count: u32,
}

impl Ready {
    /// Ready at `at` with `model`, at a measured rate.
    #[must_use]
    pub fn new(at: Timestamp, images_per_second: f64, model: &Model) -> Self {
        Self::named(at, images_per_second, model.to_string())
    }

    fn named(at: Timestamp, images_per_second: f64, model: String) -> Self {
        Self { at: whole_seconds(at), images_per_second: tenths(images_per_second), model }
    }

    /// The same, when its rate is another by a quarter. When it became ready stays as it was.
    fn revised(&self, images_per_second: f64) -> Option<Self> {
        let differs = (images_per_second - self.images_per_second).abs() >= WORTH_TELLING * self.images_per_second;
        differs.then(|| Self { images_per_second: tenths(images_per_second), ..self.clone() })
    }
}

/// Sets the ready tag on the instance `id`. Many workers that boot at once are throttled; then, and when there is no answer, it
/// is tried again.
///
/// # Errors
/// When EC2 refuses, mostly because the instance's role may not tag it.
pub async fn register(ec2: &ec2::Ec2, id: &str, ready: &Ready) -> Result<(), RegistrationError> {
    tell(ec2, id, ec2::tags::READY, ready).await
}

/// Tells the operator that the worker ended in disorder and was started again, for the `count`th time since the machine booted:
/// until it registers again, it takes no jobs, whatever its ready tag says.
///
/// # Errors
/// As [`register`].
pub async fn restarted(ec2: &ec2::Ec2, id: &str, count: u32) -> Result<(), RegistrationError> {
    tell(ec2, id, ec2::tags::RESTARTED, &Restarted { at: whole_seconds(Timestamp::now()), count }).await
}

/// Keeps the rate in the ready tag right, as far as `pace` tells another.
pub async fn follow(ec2: &ec2::Ec2, id: &str, mut ready: Ready, pace: &Pace) -> Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        if pace.images() < IMAGES {
            continue;
        }
        let Some(revised) = ready.revised(pace.images_per_second()) else { continue };
        match register(ec2, id, &revised).await {
            Ok(()) => {
                tracing::info!(
                    before = ready.images_per_second,
                    images_per_second = revised.images_per_second,
                    "the operator knows the new rate"
                );
                ready = revised;
            }
            Err(error) => tracing::warn!(error = chain(&error), "the operator could not be told the new rate"),
        }
    }
}

async fn tell(ec2: &ec2::Ec2, id: &str, key: &'static str, value: &impl Serialize) -> Result<(), RegistrationError> {
    let json = serde_json::to_string(value).map_err(|source| RegistrationError::Json { key, source })?;
    let tags = [(key.to_owned(), json)];
    let mut pause = FIRST_PAUSE;
    loop {
        match ec2.create_tags(&[id.to_owned()], &tags).await {
            Err(error) if error.verdict() != Verdict::Refused => {
                tracing::warn!(%error, key, retry_in_seconds = pause.as_secs(), "the operator could not be told by a tag");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            answer => return answer.map_err(|source| RegistrationError::Ec2 { key, source }),
        }
    }
}

/// A tag is short, and neither is more exact.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The operator could not be told.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// EC2 refused.
    #[error("the instance cannot tag itself {key}; its role needs ec2:CreateTags on itself")]
    Ec2 {
        /// The tag.
        key: &'static str,
        /// What EC2 said.
        source: ec2::Error,
    },
    /// The value is no JSON: never happens with finite numbers.
    #[error("the tag {key} cannot be written as JSON")]
    Json {
        /// The tag.
        key: &'static str,
        /// Why.
        source: serde_json::Error,
    },
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

    #[test]
    fn a_rate_is_told_again_when_it_differs_by_a_quarter() {
        let ready = Ready::named("2026-11-21T10:00:00Z".parse().unwrap(), 40.0, "m@1".to_owned());
        assert_eq!([31.0, 40.0, 49.0].map(|rate| ready.revised(rate)), [None, None, None]);
        let revised = ready.revised(12.34).unwrap();
        assert_eq!((revised.at, revised.images_per_second), (ready.at, 12.3));
        assert_eq!(ready.revised(50.0).unwrap().images_per_second, 50.0);
    }
}
