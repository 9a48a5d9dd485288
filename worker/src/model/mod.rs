//! A model that may serve: its folder was fetched and checked, its network loaded, and its golden output met.
//! Knows nothing of jobs.

pub mod answer;
pub mod engine;
pub mod fetch;
pub mod gallery;
pub mod golden;
pub mod labels;
pub mod manifest;
pub mod speed;

use bytes::Bytes;
use wire::ModelRef;

use crate::image::decode::{DecodeError, Picture, decode};
use crate::image::prepare::{PrepareError, prepare};
use answer::{Answer, Meaning, MeaningError};
use engine::{Engine, EngineArgs, EngineError};
use fetch::{FetchError, Fetcher};
use golden::GoldenError;
use manifest::{Manifest, ManifestError};

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
    Engine(#[from] EngineError),
    /// The labels or the gallery do not fit it.
    #[error("the model's names cannot be used")]
    Names(#[from] MeaningError),
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
    /// Labels, one a line, or a gallery.
    pub names: Bytes,
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
        let (onnx, names, golden_image, golden_output) = tokio::try_join!(
            fetcher.file(&manifest.onnx),
            fetcher.file(manifest.output.names()),
            fetcher.file(&manifest.golden.image),
            fetcher.file(&manifest.golden.output),
        )?;
        Ok(Self { manifest, onnx, names, golden_image, golden_output })
    }
}

/// A model that answers as it must. Shared by all threads.
#[derive(Debug)]
pub struct Model {
    manifest: Manifest,
    engine: Box<dyn Engine>,
    meaning: Meaning,
}

impl Model {
    /// Loads the network and has it answer the golden image. Takes up to a second of computing.
    ///
    /// # Errors
    /// When the network cannot be loaded, its names do not fit it, or its answer is off by more than the tolerance.
    pub fn new(folder: &Folder, args: &EngineArgs) -> Result<Self, ModelError> {
        let Folder { manifest, onnx, names, golden_image, golden_output } = folder;
        let engine = engine::load(args, onnx, manifest.input.shape())?;
        let picture = decode(golden_image, GOLDEN_MAX_PIXELS)?;
        let output = engine.run(&prepare(&picture, &manifest.input)?)?;
        let tolerance = manifest.golden.tolerance;
        let off = golden::check(golden_output, &output, tolerance)?;
        let meaning = Meaning::new(&manifest.output, names, output.len())?;
        let model = Self { manifest: manifest.clone(), engine, meaning };
        tracing::info!(%model, engine = %args.engine, largest_difference = off, tolerance, "the model meets its golden output");
        Ok(model)
    }

    /// How results name it.
    #[must_use]
    pub fn reference(&self) -> ModelRef {
        self.manifest.model_ref()
    }

    /// Length, in pixels, that the shorter side of a picture must have at least for [`Model::prepare`] to lose nothing.
    #[must_use]
    pub fn shorter_side(&self) -> u32 {
        self.manifest.input.shorter_side()
    }

    /// The input tensor of a picture.
    ///
    /// # Errors
    /// When it cannot be resized.
    pub fn prepare(&self, picture: &Picture) -> Result<Vec<f32>, PrepareError> {
        prepare(picture, &self.manifest.input)
    }

    /// What it says to an input tensor.
    ///
    /// # Errors
    /// When the network fails or its output is no number.
    pub fn infer(&self, input: &[f32]) -> Result<Answer, EngineError> {
        let output = self.engine.run(input)?;
        if !output.iter().all(|value| value.is_finite()) {
            return Err(EngineError::Run("its output holds something that is no number".to_owned()));
        }
        Ok(self.meaning.answer(output))
    }
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.manifest.name, self.manifest.version)
    }
}
