//! What the CPU does for a job: decode, prepare, infer. Blocking; knows nothing of queues and buckets.

use std::time::Instant;

use wire::{Outcome, Prediction};

use crate::image::decode::decode;
use crate::image::prepare::PrepareError;
use crate::model::Model;
use crate::model::plan::PlanError;

/// The image is not to blame.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The picture could not be resized.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The network failed.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// An answer, and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// Predictions, or why there are none.
    pub outcome: Outcome,
    /// Seconds of decoding and resizing.
    pub decode_seconds: f64,
    /// Seconds of running the network.
    pub infer_seconds: f64,
}

/// Classifies an encoded image.
///
/// # Errors
/// When resizing or the network fails. What is wrong with the image is no error but an outcome.
pub fn classify(model: &Model, image: &[u8], max_pixels: u64) -> Result<Classified, ClassifyError> {
    let begin = Instant::now();
    let picture = match decode(image, max_pixels) {
        Ok(picture) => picture,
        Err(error) => {
            let outcome = Outcome::Failed { code: error.code(), message: error.to_string() };
            return Ok(Classified { outcome, decode_seconds: begin.elapsed().as_secs_f64(), infer_seconds: 0.0 });
        }
    };
    let input = model.prepare(&picture)?;
    // A large photo's pixels are not needed any more; the network wants the memory.
    drop(picture);
    let prepared = Instant::now();
    let outcome = classified(model.infer(&input)?);
    let decode_seconds = (prepared - begin).as_secs_f64();
    Ok(Classified { outcome, decode_seconds, infer_seconds: prepared.elapsed().as_secs_f64() })
}

fn classified(predictions: Vec<Prediction>) -> Outcome {
    let label = predictions.first().map(|best| best.label.clone()).unwrap_or_default();
    Outcome::Classified { label, predictions }
}
