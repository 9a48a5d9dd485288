//! Photos of known class, and what the gateway says of them: for the demo, the benchmarks and the tests.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use wire::{JobResult, Outcome, Prediction, Timings};

/// A photo of known class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Photo {
    /// `imagenet_NN_<class>.jpg`
    pub name: String,
    /// Index of its ImageNet class.
    pub class: usize,
    /// The JPEG.
    pub bytes: Vec<u8>,
}

/// What the gateway said of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The photo's name.
    pub photo: String,
    /// Its class.
    pub class: usize,
    /// What the model takes it for.
    pub best: Prediction,
    /// From the beginning of the upload to the end of the answer.
    pub took: Duration,
    /// Where the worker's time went.
    pub timings: Timings,
    /// Which worker answered.
    pub worker: String,
}

/// The photos in `folder`, by name.
///
/// # Errors
/// When there are none, or one cannot be read.
pub fn load(folder: &Path) -> Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(class) = class_of(&name) {
            photos.push(Photo { bytes: std::fs::read(entry.path())?, name, class });
        }
    }
    ensure!(!photos.is_empty(), "{} holds no photos", folder.display());
    photos.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(photos)
}

/// `imagenet_NN_<class>.jpg`
fn class_of(name: &str) -> Option<usize> {
    name.strip_prefix("imagenet_")?.strip_suffix(".jpg")?.split_once('_')?.1.parse().ok()
}

impl Photo {
    /// Uploads it to `gateway` as a browser's form would, and waits for the answer.
    ///
    /// # Errors
    /// When it is not classified: what the gateway said.
    pub async fn classify(&self, http: &Client, gateway: &str) -> Result<Answer> {
        let Self { name, class, bytes } = self;
        let form = Form::new().part("myfile", Part::bytes(bytes.clone()).file_name(name.clone()));
        let begun = Instant::now();
        let response = http.post(format!("{gateway}/upload")).header("accept", "application/json").multipart(form).send().await;
        let response = response.with_context(|| format!("{name} was not answered"))?;
        let (status, body) = (response.status(), response.text().await?);
        let took = begun.elapsed();
        ensure!(status.as_u16() == 200, "{name}: the gateway answered {status}: {body}");
        let result: JobResult = serde_json::from_str(&body).with_context(|| format!("{name}: the answer is not understood: {body}"))?;
        let JobResult { outcome: Outcome::Classified { predictions, .. }, timings, worker, .. } = result else {
            bail!("{name}: answered with 200 and no label: {body}")
        };
        let Some(best) = predictions.into_iter().next() else { bail!("{name}: the answer holds no prediction") };
        Ok(Answer { photo: name.clone(), class: *class, best, took, timings, worker })
    }
}

impl Answer {
    /// Whether the most probable class is the photo's.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.best.index == self.class
    }

    /// What the worker took to fetch, decode and classify the image.
    #[must_use]
    pub fn work(&self) -> Duration {
        let Timings { queue_ms: _, fetch_ms, decode_ms, infer_ms } = self.timings;
        Duration::try_from_secs_f64((fetch_ms + decode_ms + infer_ms) / 1e3).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_is_in_the_name() {
        let table =
            [("imagenet_06_609.jpg", Some(609)), ("imagenet_15_99.jpg", Some(99)), ("requirements.txt", None), ("imagenet_1.jpg", None)];
        for (name, class) in table {
            assert_eq!(class_of(name), class, "{name}");
        }
    }
}
