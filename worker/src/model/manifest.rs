//! `model.json`: all that the worker knows of a model. Pure data and its rules.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use wire::ModelRef;

/// Longest side of a model's input, in pixels: more is surely a mistake.
const MAX_SIDE: u32 = 4096;
/// Limits that keep `name@version` short enough for an instance tag (256 characters with the rest of its value).
const MAX_NAME: usize = 64;
const MAX_VERSION: usize = 32;

/// A model folder's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Name of the model, named in every result.
    pub name: String,
    /// Version of the folder, named in every result.
    pub version: String,
    /// What it tells apart, for people.
    pub description: String,
    /// Licences of weights, labels and golden image.
    pub licence: String,
    /// Where the weights come from.
    pub source: String,
    /// The network: one float32 input, one float32 output, batch of 1.
    pub onnx: FileRef,
    /// How an image becomes the network's input.
    pub input: Input,
    /// What the network's output means.
    pub output: Output,
    /// What the network must answer.
    pub golden: Golden,
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRef {
    /// Its name; it lies directly in the folder.
    pub file: String,
    /// SHA-256 of its content, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// How an image becomes the network's input, in this order: resize, crop, normalise, lay out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Order of the dimensions.
    pub layout: Layout,
    /// Order of the channels; `mean` and `std` follow it.
    pub channels: Channels,
    /// Subtracted from each channel (0 to 255).
    pub mean: [f32; 3],
    /// Each channel is then divided by it.
    pub std: [f32; 3],
    /// How the image is resized.
    pub resize: Resize,
    /// Which part of the resized image is taken.
    pub crop: Crop,
}

/// Order of the input's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channel, row, column.
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Order of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Channels {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How an image is resized: in proportion, with antialiasing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resize {
    /// Length that the shorter side gets, in pixels.
    pub shorter_side: u32,
    /// How pixels are interpolated; a model answers best with what it was trained with.
    pub filter: Filter,
}

/// How pixels are interpolated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Linear.
    Bilinear,
    /// Cubic (Catmull-Rom), as Pillow's.
    Bicubic,
}

/// Which part of the resized image is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Crop {
    /// The middle.
    Center,
}

/// What the network's output means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Output {
    /// One probability per class.
    Probabilities(Classes),
    /// One score per class: softmax makes probabilities of them.
    Logits(Classes),
}

/// The classes that a network tells apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Classes {
    /// UTF-8 text, one label a line, in the order of the output.
    pub labels: FileRef,
    /// How many of the best predictions a result names.
    pub top_k: usize,
}

/// What the network must answer: a worker whose model is off does not serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// An image.
    pub image: FileRef,
    /// The network's raw output for it: a JSON array of numbers.
    pub output: FileRef,
    /// How far any number of the output may be off.
    pub tolerance: f32,
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not the JSON of a manifest.
    #[error("it cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that cannot be right.
    #[error("{field} {problem}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When it is no JSON, has fields that are not known, lacks some, or has values that cannot be right.
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self = serde_json::from_slice(json)?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// How results name the model.
    #[must_use]
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { name: self.name.clone(), version: self.version.clone() }
    }

    fn validate(&self) -> Result<(), ManifestError> {
        check_word("name", &self.name, MAX_NAME)?;
        check_word("version", &self.version, MAX_VERSION)?;
        check_file("onnx", &self.onnx)?;
        self.input.validate()?;
        let classes = self.output.classes();
        check_file("output.labels", &classes.labels)?;
        ensure(classes.top_k > 0, "output.topK", || "must be at least 1".to_owned())?;
        check_file("golden.image", &self.golden.image)?;
        check_file("golden.output", &self.golden.output)?;
        let tolerance = self.golden.tolerance;
        ensure(tolerance.is_finite() && tolerance > 0.0, "golden.tolerance", || {
            format!("is {tolerance}; it must be above 0, such as 0.001")
        })
    }
}

impl Input {
    fn validate(&self) -> Result<(), ManifestError> {
        for (field, side) in [("input.width", self.width), ("input.height", self.height)] {
            ensure((1..=MAX_SIDE).contains(&side), field, || format!("is {side}; it must be between 1 and {MAX_SIDE} pixels"))?;
        }
        let short = self.resize.shorter_side;
        let needed = self.width.max(self.height);
        ensure((needed..=MAX_SIDE).contains(&short), "input.resize.shorterSide", || {
            format!("is {short}; it must be between {needed} (the crop must fit into the resized image) and {MAX_SIDE} pixels")
        })?;
        ensure(self.mean.iter().all(|mean| mean.is_finite()), "input.mean", || "must be finite numbers".to_owned())?;
        ensure(self.std.iter().all(|std| std.is_normal()), "input.std", || "must be finite and not 0: pixels are divided by it".to_owned())
    }

    /// The tensor's shape, batch of one.
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        let (width, height) = (self.width as usize, self.height as usize);
        match self.layout {
            Layout::Nchw => [1, 3, height, width],
            Layout::Nhwc => [1, height, width, 3],
        }
    }
}

impl Output {
    /// The classes, however their scores are given.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        match self {
            Self::Probabilities(classes) | Self::Logits(classes) => classes,
        }
    }
}

fn check_word(field: &'static str, word: &str, longest: usize) -> Result<(), ManifestError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._+".contains(c);
    ensure(!word.is_empty() && word.len() <= longest && word.chars().all(allowed), field, || {
        format!("is {word:?}; it must be 1 to {longest} letters, digits or - . _ +")
    })
}

fn check_file(field: &'static str, file: &FileRef) -> Result<(), ManifestError> {
    let mut parts = Path::new(&file.file).components();
    let plain = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !file.file.contains(['/', '\\']);
    ensure(plain, field, || format!("names the file {:?}; it must be a file directly in the model folder", file.file))?;
    let is_hex = file.sha256.len() == 64 && file.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    ensure(is_hex, field, || {
        format!("has the sha256 {:?}; it must be 64 lower-case hexadecimal digits (sha256sum prints them)", file.sha256)
    })
}

fn ensure(right: bool, field: &'static str, problem: impl FnOnce() -> String) -> Result<(), ManifestError> {
    if right { Ok(()) } else { Err(ManifestError::Invalid { field, problem: problem() }) }
}
