//! From the network's output to an answer: what the output of a model means. Knows nothing of engines and images.

use wire::Prediction;

use super::gallery::{Gallery, GalleryError};
use super::labels::{self, LabelsError};
use super::manifest::{Classes, Output};

/// What a model says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The label.
    pub label: String,
    /// What it might be, best first.
    pub predictions: Vec<Prediction>,
}

/// What outputs mean.
#[derive(Debug)]
pub(super) enum Meaning {
    /// A score for each label.
    Classes { labels: Vec<String>, top_k: usize, softmax: bool },
    /// A vector to be looked up.
    Embedding { gallery: Gallery, top_k: usize },
}

/// The names do not fit the model.
#[derive(Debug, thiserror::Error)]
pub enum MeaningError {
    /// The labels file.
    #[error(transparent)]
    Labels(#[from] LabelsError),
    /// The gallery file.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
}

impl Meaning {
    /// Reads the file of labels or the gallery, for a network that gives `length` numbers.
    pub(super) fn new(output: &Output, names: &[u8], length: usize) -> Result<Self, MeaningError> {
        let classes = |&Classes { ref labels, top_k }: &Classes, softmax| {
            Ok(Self::Classes { labels: labels::parse(&labels.file, names, length)?, top_k, softmax })
        };
        match output {
            Output::Probabilities(spec) => classes(spec, false),
            Output::Logits(spec) => classes(spec, true),
            Output::Embedding(spec) => Ok(Self::Embedding { gallery: Gallery::parse(spec, names, length)?, top_k: spec.top_k }),
        }
    }

    /// What an output means.
    pub(super) fn answer(&self, output: Vec<f32>) -> Answer {
        match self {
            Self::Classes { labels, top_k, softmax } => {
                let scores = if *softmax { labels::softmax(&output) } else { output };
                let predictions = labels::best(labels, &scores, *top_k);
                Answer { label: predictions.first().map(|best| best.label.clone()).unwrap_or_default(), predictions }
            }
            Self::Embedding { gallery, top_k } => gallery.answer(&output, *top_k),
        }
    }
}
