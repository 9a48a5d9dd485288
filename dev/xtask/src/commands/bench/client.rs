//! The uploader: photos of known class, how long their answers take, whether those are right and who gave them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

/// An answer that takes longer is a failure.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// MiniStack's long polls do.
const QUEUES_LOOK_EVERY: Duration = Duration::from_millis(100);

/// A photo of known class.
#[derive(Debug, Clone)]
pub(super) struct Photo {
    name: String,
    class: usize,
    bytes: Vec<u8>,
}

/// What came of one upload.
#[derive(Debug)]
pub(super) struct Answer {
    /// From the beginning of the upload to the end of the answer.
    pub(super) took: Duration,
    /// Of it, what the worker itself took to fetch, decode and classify the image.
    pub(super) work: Duration,
    /// Whether the most probable class is the photo's.
    pub(super) right: bool,
    /// Which worker answered.
    pub(super) worker: String,
}

/// What we read of the gateway's JSON.
#[derive(Debug, Deserialize)]
struct Body {
    worker: String,
    predictions: Vec<Prediction>,
    timings: Timings,
}

#[derive(Debug, Deserialize)]
struct Prediction {
    index: usize,
}

/// Milliseconds.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timings {
    fetch_ms: f64,
    decode_ms: f64,
    infer_ms: f64,
}

/// Uploads to one gateway.
#[derive(Debug, Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    url: String,
}

/// The photos in `folder`, by name: `imagenet_NN_<class>.jpg`.
///
/// # Errors
/// When there are none, or one cannot be read.
pub(super) fn photos(folder: &Path) -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let class = name.strip_suffix(".jpg").and_then(|stem| stem.rsplit_once('_')?.1.parse().ok());
        if let Some(class) = class {
            photos.push(Photo { bytes: std::fs::read(entry.path())?, name, class });
        }
    }
    ensure!(!photos.is_empty(), "{} holds no photos", folder.display());
    photos.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(photos)
}

impl Client {
    /// Uploads to the gateway at `url`.
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self { http: reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?, url: format!("{url}/upload") })
    }

    /// Uploads one photo and waits for its answer.
    ///
    /// # Errors
    /// When it is not classified within a minute.
    pub(super) async fn upload(&self, photo: &Photo) -> Result<Answer> {
        let Photo { name, class, bytes } = photo;
        let form = Form::new().part("myfile", Part::bytes(bytes.clone()).file_name(name.clone()));
        let begun = Instant::now();
        let response = self.http.post(&self.url).header("accept", "application/json").multipart(form).send().await;
        let response = response.with_context(|| format!("{name} was not answered"))?;
        let (status, body) = (response.status(), response.text().await?);
        let took = begun.elapsed();
        ensure!(status.as_u16() == 200, "{name}: the gateway answered {status}: {body}");
        let body: Body = serde_json::from_str(&body).with_context(|| format!("{name}: the answer is not understood: {body}"))?;
        let Body { worker, predictions, timings: Timings { fetch_ms, decode_ms, infer_ms } } = body;
        let work = Duration::try_from_secs_f64((fetch_ms + decode_ms + infer_ms) / 1e3)?;
        Ok(Answer { took, work, right: predictions.first().is_some_and(|best| best.index == *class), worker })
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
