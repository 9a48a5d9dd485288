//! The part of `model.json` that says what the network's output means. Pure data and its rules.

use serde::{Deserialize, Serialize};

use super::{FileRef, ManifestError, check_file, ensure};

/// Longest label for what a gallery does not know, in bytes.
const MAX_LABEL: usize = 64;

/// What the network's output means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Output {
    /// One probability per class.
    Probabilities(Classes),
    /// One score per class: softmax makes probabilities of them.
    Logits(Classes),
    /// A vector that lies near those of the same thing: it is compared with a gallery of named ones.
    Embedding(Embedding),
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

/// Which names there are, and how near is near enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Embedding {
    /// JSON: a list of names, each with its vectors.
    pub gallery: FileRef,
    /// How far apart two vectors are.
    pub distance: Distance,
    /// The largest distance at which something is still taken for known.
    pub threshold: f32,
    /// The label of what is further than that from every name.
    pub unknown: String,
    /// How many of the nearest names a result tells.
    pub top_k: usize,
}

/// How far apart two vectors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Distance {
    /// The length of their difference.
    Euclidean,
    /// One minus the cosine of the angle between them: 0 to 2, whatever their lengths.
    Cosine,
}

impl Output {
    /// The file with the names that results give: labels or a gallery.
    #[must_use]
    pub fn names(&self) -> &FileRef {
        match self {
            Self::Probabilities(classes) | Self::Logits(classes) => &classes.labels,
            Self::Embedding(embedding) => &embedding.gallery,
        }
    }

    /// How many predictions a result names at most.
    #[must_use]
    pub fn top_k(&self) -> usize {
        match self {
            Self::Probabilities(classes) | Self::Logits(classes) => classes.top_k,
            Self::Embedding(embedding) => embedding.top_k,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ManifestError> {
        ensure(self.top_k() > 0, "output.topK", || "must be at least 1".to_owned())?;
        match self {
            Self::Probabilities(classes) | Self::Logits(classes) => check_file("output.labels", &classes.labels),
            Self::Embedding(embedding) => embedding.validate(),
        }
    }
}

impl Embedding {
    fn validate(&self) -> Result<(), ManifestError> {
        check_file("output.gallery", &self.gallery)?;
        let threshold = self.threshold;
        ensure(threshold.is_normal() && threshold > 0.0, "output.threshold", || {
            format!("is {threshold}; it must be above 0: the largest distance at which something is still taken for known")
        })?;
        let fits =
            |label: &str| !label.is_empty() && label.len() <= MAX_LABEL && label == label.trim() && !label.contains(char::is_control);
        ensure(fits(&self.unknown), "output.unknown", || {
            format!("is {:?}; it must be a label of 1 to {MAX_LABEL} bytes, such as \"unknown\"", self.unknown)
        })
    }
}
