//! `model.json`: all that the worker knows of a model. Pure data and its rules.

mod input;
mod output;

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use wire::ModelRef;

pub use input::{Channels, Cover, Filter, Input, Layout, Pad, Resize, Stretch};
pub use output::{Classes, Distance, Embedding, Output};

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
        self.output.validate()?;
        check_file("golden.image", &self.golden.image)?;
        check_file("golden.output", &self.golden.output)?;
        let tolerance = self.golden.tolerance;
        ensure(tolerance.is_finite() && tolerance > 0.0, "golden.tolerance", || {
            format!("is {tolerance}; it must be above 0, such as 0.001")
        })
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
