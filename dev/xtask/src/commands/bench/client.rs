//! The uploader: photos one by one or many at once, at times that no polling grid favours.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;

use crate::photos::{Answer, Photo};

/// An answer that takes longer is a failure.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// MiniStack's long polls do.
const QUEUES_LOOK_EVERY: Duration = Duration::from_millis(100);

/// Uploads to one gateway.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    gateway: String,
}

impl Client {
    /// Uploads to the gateway at `url`.
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?, gateway: url.to_owned() })
    }

    /// Uploads one photo and waits for its answer.
    ///
    /// # Errors
    /// When it is not classified within a minute.
    pub(super) async fn upload(&self, photo: &Photo) -> Result<Answer> {
        photo.classify(&self.http, &self.gateway).await
    }

    /// Uploads one photo after the other, each at another time between two looks of the queues.
    pub(super) async fn one_by_one(&self, photos: &[Photo]) -> Result<Vec<Answer>> {
        let mut answers = Vec::new();
        for (number, photo) in (0..).zip(photos) {
            tokio::time::sleep(spread(number, QUEUES_LOOK_EVERY)).await;
            answers.push(self.upload(photo).await?);
        }
        Ok(answers)
    }

    /// Uploads `count` photos at once, each as often as it takes, and says when the last was answered.
    pub(super) async fn at_once(&self, photos: &[Photo], count: usize) -> Result<(Duration, Vec<Answer>)> {
        let begun = Instant::now();
        let answers = try_join_all(photos.iter().cycle().take(count).map(|photo| self.upload(photo))).await?;
        Ok((begun.elapsed(), answers))
    }
}

/// A pause before measurement `number` of what looks once a `period`: spread evenly over it by the golden ratio. Without,
/// each measurement would begin where the last one ended, catch all looks at the same moment, and show only that moment.
pub(super) fn spread(number: u32, period: Duration) -> Duration {
    period.mul_f64((f64::from(number) * 0.618_034).fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_begin_at_different_times_of_a_period() {
        let mut pauses: Vec<u128> = (0..5).map(|number| spread(number, Duration::from_secs(1)).as_millis()).collect();
        pauses.sort_unstable();
        assert!(pauses.windows(2).all(|pair| pair[1] - pair[0] > 140), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause < 1000));
    }
}
