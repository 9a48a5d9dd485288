//! The result: what a worker says of one image. It is the body of the result object in S3 and of the reply message.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResult {
    /// Id of the job.
    pub id: Uuid,
    /// File name of the image.
    pub name: String,
    /// The label, or why there is none.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The model that answered.
    pub model: ModelRef,
    /// Revision of the worker that answered.
    pub revision: String,
    /// EC2 instance id of the worker.
    pub worker: String,
    /// When the gateway accepted the image.
    pub submitted_at: Timestamp,
    /// When the worker had the answer.
    pub finished_at: Timestamp,
    /// Where the time went.
    pub timings: Timings,
    /// Whether the gateway knew the answer from an image of the same bytes: worker and timings are that one's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
}

/// Either predictions or an error that no retry would mend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status")]
pub enum Outcome {
    /// The image was classified.
    Classified {
        /// Label of the best prediction; of a face that no gallery knows, what the model calls strangers.
        label: String,
        /// Best first.
        predictions: Vec<Prediction>,
    },
    /// The image cannot be classified, however often it is tried.
    Failed {
        /// For programs.
        code: ErrorCode,
        /// For people: what is wrong and what to do.
        message: String,
    },
}

/// Why an image cannot be classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The bytes are no image of a format that is read.
    NotAnImage,
    /// The image is damaged or cut off.
    Corrupt,
    /// More pixels than the worker's limit.
    TooManyPixels,
    /// More bytes than the worker's limit.
    TooLarge,
    /// The image is no longer in its bucket.
    Missing,
    /// It was tried as often as the fleet allows and failed each time, for reasons that are not known to be the image's. The
    /// job is in the dead-letter queue; sent from there again, its result takes this one's place.
    RetriesExhausted,
}

/// One label and how well it fits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Index of the class in the model's output, or of the name in its gallery.
    pub index: usize,
    /// Its label.
    pub label: String,
    /// 0 to 1. Of a name in a gallery: 1 for the same vector, 0.5 at the model's threshold, 0 from twice that on.
    pub probability: f32,
    /// Of a name in a gallery: how far away its nearest vector is, in the model's measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f32>,
}

/// A model, by its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRef {
    /// Name in `model.json`.
    pub name: String,
    /// Version in `model.json`.
    pub version: String,
}

/// Milliseconds that each step took on the worker; `queue_ms` from acceptance to receipt (two clocks).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timings {
    /// From acceptance by the gateway to receipt by the worker.
    pub queue_ms: f64,
    /// Getting the image from S3.
    pub fetch_ms: f64,
    /// Decoding and resizing.
    pub decode_ms: f64,
    /// Running the model.
    pub infer_ms: f64,
}
