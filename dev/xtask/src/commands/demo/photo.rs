//! A photo of known class, and what the gateway says of it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::multipart::{Form, Part};
use serde::Deserialize;

/// A photo of known class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Photo {
    name: String,
    class: usize,
    bytes: Vec<u8>,
}

/// What the gateway said of a photo.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) photo: String,
    pub(super) class: usize,
    pub(super) best: Prediction,
    pub(super) milliseconds: u128,
}

/// One label and its probability.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Prediction {
    pub(super) index: usize,
    pub(super) label: String,
    pub(super) probability: f64,
}

/// What we read of the gateway's JSON.
#[derive(Debug, Deserialize)]
struct Body {
    #[serde(default)]
    predictions: Vec<Prediction>,
}

/// The photos in `folder`, in order.
///
/// # Errors
/// When there are none, or one cannot be read.
pub(super) fn all(folder: &Path) -> Result<Vec<Photo>> {
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
    /// Uploads it as a browser's form would, and waits for the answer.
    pub(super) async fn upload(self, http: reqwest::Client, url: String) -> Result<Answer> {
        let Self { name, class, bytes } = self;
        let form = Form::new().part("myfile", Part::bytes(bytes).file_name(name.clone()));
        let begun = Instant::now();
        let response = http.post(&url).header("accept", "application/json").multipart(form).send().await?;
        let (status, body) = (response.status(), response.text().await?);
        ensure!(status.as_u16() == 200, "{name}: the gateway answered {status}: {body}");
        let body: Body = serde_json::from_str(&body).with_context(|| format!("{name}: the answer is not understood: {body}"))?;
        let Some(best) = body.predictions.into_iter().next() else { bail!("{name}: the answer holds no prediction") };
        Ok(Answer { photo: name, class, best, milliseconds: begun.elapsed().as_millis() })
    }
}

impl Answer {
    pub(super) fn is_right(&self) -> bool {
        self.best.index == self.class
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
