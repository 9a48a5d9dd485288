//! What the CPU does for a job: decode, prepare, infer. Blocking; knows nothing of queues and buckets.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use wire::Outcome;

use super::spans::step;
use crate::image::decode::decode_for;
use crate::image::prepare::PrepareError;
use crate::model::Model;
use crate::model::answer::Answer;
use crate::model::engine::EngineError;

/// The image is not to blame.
#[derive(Debug, thiserror::Error)]
pub enum ClassifyError {
    /// The picture could not be resized.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The network failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// An answer, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    let decode = step("decode").entered();
    let picture = match decode_for(image, max_pixels, model.shorter_side()) {
        Ok(picture) => picture,
        Err(error) => {
            let outcome = Outcome::Failed { code: error.code(), message: error.to_string() };
            return Ok(Classified { outcome, decode_seconds: begin.elapsed().as_secs_f64(), infer_seconds: 0.0 });
        }
    };
    let input = model.prepare(&picture)?;
    // A large photo's pixels are not needed any more; the network wants the memory.
    drop(picture);
    drop(decode);
    let prepared = Instant::now();
    let Answer { label, predictions } = step("infer").in_scope(|| model.infer(&input))?;
    let outcome = Outcome::Classified { label, predictions };
    let decode_seconds = (prepared - begin).as_secs_f64();
    Ok(Classified { outcome, decode_seconds, infer_seconds: prepared.elapsed().as_secs_f64() })
}
