//! The other end of [`crate::jobs::Isolation`]: classifies the one image on standard input, in a process that may die of it.
//! Knows nothing of queues and buckets, but of the model's.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::jobs::{ClassifyError, classify};
use crate::run::{RunError, load};
use crate::settings::Settings;

/// Of all processes, the kernel ends this one first when memory runs out.
const OOM_SCORE: (&str, &str) = ("/proc/self/oom_score_adj", "1000");

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum IsolatedError {
    /// The model does not serve.
    #[error(transparent)]
    Model(#[from] RunError),
    /// The image came or the answer went only in part.
    #[error("the image cannot be read from standard input, or its answer not written to standard output")]
    Io(#[from] std::io::Error),
    /// The image is not to blame.
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    /// The answer is no JSON: never happens with finite numbers.
    #[error("the answer cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Reads an encoded image from standard input and writes the [`crate::jobs::Classified`] to standard output, as JSON.
///
/// # Errors
/// When the image could not be classified, for other reasons than what it is.
pub async fn run(settings: &Settings) -> Result<(), IsolatedError> {
    if let Err(error) = std::fs::write(OOM_SCORE.0, OOM_SCORE.1) {
        tracing::debug!(%error, "the kernel cannot be told to end this process first");
    }
    let aws = service::aws::config("classifierfleet-worker", &service::aws::Place::default()).await;
    let (model, _) = load(settings, aws_sdk_s3::Client::new(&aws)).await?;
    let mut image = Vec::new();
    tokio::io::stdin().read_to_end(&mut image).await?;
    let answer = serde_json::to_vec(&classify(&model, &image, settings.max_pixels)?)?;
    let mut out = tokio::io::stdout();
    out.write_all(&answer).await?;
    Ok(out.flush().await?)
}
