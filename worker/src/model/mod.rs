//! A model that may serve: its folder was fetched and checked, its network loaded, and its golden output met.
//! Knows nothing of jobs.

pub mod fetch;
pub mod golden;
pub mod manifest;
pub mod plan;
pub mod speed;

use bytes::Bytes;
use wire::{ModelRef, Prediction};

use crate::image::decode::{DecodeError, Picture, decode};
use crate::image::prepare::{PrepareError, prepare};
use fetch::{FetchError, Fetcher};
use golden::GoldenError;
use manifest::{Manifest, ManifestError, Output};
use plan::{Plan, PlanError};

/// The golden image is ours, but goes the way of any other.
const GOLDEN_MAX_PIXELS: u64 = 100_000_000;

/// Why a model does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the folder could not be had.
    #[error("the model folder is not whole")]
    Fetch(#[from] FetchError),
    /// The manifest is wrong.
    #[error("model.json is wrong")]
    Manifest(#[from] ManifestError),
    /// The network cannot be run.
    #[error("the model cannot be run")]
    Plan(#[from] PlanError),
    /// The labels are no text, or not as many as there are classes.
    #[error("the labels file {file} is wrong: {problem}")]
    Labels {
        /// Name of the file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The golden image cannot be decoded.
    #[error("the model's golden image cannot be decoded")]
    GoldenImage(#[from] DecodeError),
    /// The golden image cannot be resized.
    #[error("the model's golden image cannot be prepared")]
    GoldenSize(#[from] PrepareError),
    /// The network answers something else than it must.
    #[error("the model is not served")]
    Golden(#[from] GoldenError),
}

/// The files of a model folder, each checked by its hash.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The manifest.
    pub manifest: Manifest,
    /// The network.
    pub onnx: Bytes,
    /// One label a line.
    pub labels: Bytes,
    /// An encoded image.
    pub golden_image: Bytes,
    /// JSON: the network's output for it.
    pub golden_output: Bytes,
}

impl Folder {
    /// Fetches a model folder.
    ///
    /// # Errors
    /// When a file cannot be had, is not what the manifest says, or the manifest is wrong.
    pub async fn fetch(fetcher: &Fetcher) -> Result<Self, ModelError> {
        let manifest = Manifest::parse(&fetcher.manifest().await?)?;
        Ok(Self {
            onnx: fetcher.file(&manifest.onnx).await?,
            labels: fetcher.file(&manifest.output.classes().labels).await?,
            golden_image: fetcher.file(&manifest.golden.image).await?,
            golden_output: fetcher.file(&manifest.golden.output).await?,
            manifest,
        })
    }
}

/// A model that answers as it must. Shared by all threads.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    plan: Plan,
    labels: Vec<String>,
}

impl Model {
    /// Loads the network and has it answer the golden image. Takes up to a second of computing.
    ///
    /// # Errors
    /// When the network cannot be loaded, the labels do not fit it, or its answer is off by more than the tolerance.
    pub fn new(folder: &Folder) -> Result<Self, ModelError> {
        let manifest = folder.manifest.clone();
        let labels = parse_labels(&manifest, &folder.labels)?;
        let plan = Plan::new(&folder.onnx, manifest.input.shape())?;
        let model = Self { manifest, plan, labels };
        let picture = decode(&folder.golden_image, GOLDEN_MAX_PIXELS)?;
        let output = model.plan.run(&prepare(&picture, &model.manifest.input)?)?;
        let off = golden::check(&folder.golden_output, &output, model.manifest.golden.tolerance)?;
        model.check_labels(output.len())?;
        tracing::info!(model = %model, largest_difference = off, tolerance = model.manifest.golden.tolerance, "the model meets its golden output");
        Ok(model)
    }

    /// How results name it.
    #[must_use]
    pub fn reference(&self) -> ModelRef {
        self.manifest.model_ref()
    }

    /// The input tensor of a picture.
    ///
    /// # Errors
    /// When it cannot be resized.
    pub fn prepare(&self, picture: &Picture) -> Result<Vec<f32>, PrepareError> {
        prepare(picture, &self.manifest.input)
    }

    /// The best predictions for an input tensor, best first.
    ///
    /// # Errors
    /// When the network fails or its output is no number.
    pub fn infer(&self, input: &[f32]) -> Result<Vec<Prediction>, PlanError> {
        let probabilities = self.probabilities(input)?;
        let mut best: Vec<usize> = (0..probabilities.len()).collect();
        best.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let predict = |&index: &usize| Prediction { index, label: self.labels[index].clone(), probability: probabilities[index] };
        Ok(best.iter().take(self.manifest.output.classes().top_k).map(predict).collect())
    }

    /// One probability per class, in the order of the labels.
    ///
    /// # Errors
    /// When the network fails or its output is no number.
    pub fn probabilities(&self, input: &[f32]) -> Result<Vec<f32>, PlanError> {
        let output = self.plan.run(input)?;
        if !output.iter().all(|value| value.is_finite()) {
            return Err(PlanError::Run("its output holds something that is no number".to_owned()));
        }
        Ok(match self.manifest.output {
            Output::Probabilities(_) => output,
            Output::Logits(_) => softmax(&output),
        })
    }

    fn check_labels(&self, classes: usize) -> Result<(), ModelError> {
        if self.labels.len() == classes {
            return Ok(());
        }
        let problem = format!("it has {} labels, the network tells {classes} classes apart", self.labels.len());
        Err(ModelError::Labels { file: self.manifest.output.classes().labels.file.clone(), problem })
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.manifest.name, self.manifest.version)
    }
}

fn parse_labels(manifest: &Manifest, labels: &[u8]) -> Result<Vec<String>, ModelError> {
    let wrong = |problem: String| ModelError::Labels { file: manifest.output.classes().labels.file.clone(), problem };
    let text = str::from_utf8(labels).map_err(|error| wrong(format!("it is not UTF-8: {error}")))?;
    let labels: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    match labels.iter().position(String::is_empty) {
        Some(line) => Err(wrong(format!("line {} is empty", line + 1))),
        None => Ok(labels),
    }
}

fn softmax(scores: &[f32]) -> Vec<f32> {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exponentials: Vec<f32> = scores.iter().map(|score| (score - largest).exp()).collect();
    let sum: f32 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::softmax;

    #[test]
    fn softmax_makes_probabilities_of_any_scores() {
        for scores in [vec![0.0, 0.0], vec![1000.0, 0.0], vec![-1000.0, -1001.0, -999.0]] {
            let probabilities = softmax(&scores);
            assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{scores:?}");
            assert!(probabilities.iter().all(|value| (0.0..=1.0).contains(value)), "{scores:?}");
        }
        assert_eq!(softmax(&[3.0, 3.0]), [0.5, 0.5]);
    }
}
