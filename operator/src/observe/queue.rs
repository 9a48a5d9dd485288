//! The depth of a fleet's request queue.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_sqs::types::QueueAttributeName;
use plan::{QueueDepth, SampleError};

/// Why there is no sample.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The queue is not there (any more).
    #[error("the queue {0} does not exist")]
    Missing(String),
    /// SQS did not answer, or refused.
    #[error("SQS GetQueueAttributes: {0}")]
    Call(String),
    /// SQS answered without usable numbers.
    #[error(transparent)]
    Sample(#[from] SampleError),
}

/// Until a count out of nothing is looked at again.
const CONFIRM_AFTER: Duration = Duration::from_millis(300);

/// Asks SQS how many messages the queue at `url` has. Queues that never had a message have shown some for a moment (KEDA
/// #7845): if the fleet is `idle`, and no gateway knows of an upload, the second look counts.
pub async fn sample(sqs: &Client, url: &str, idle: bool) -> Result<QueueDepth, Error> {
    let first = look(sqs, url).await?;
    if !idle || first == QueueDepth::default() {
        return Ok(first);
    }
    tokio::time::sleep(CONFIRM_AFTER).await;
    look(sqs, url).await
}

async fn look(sqs: &Client, url: &str) -> Result<QueueDepth, Error> {
    let call = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed);
    let answer = call.send().await.map_err(|error| {
        // By its code: not all that speak SQS's protocol send the header that the SDK's own error types go by.
        let code = error.code().unwrap_or_default();
        let missing = code.ends_with("QueueDoesNotExist") || code.ends_with("NonExistentQueue");
        if missing { Error::Missing(url.to_owned()) } else { Error::Call(DisplayErrorContext(error).to_string()) }
    })?;
    let attributes: HashMap<String, String> =
        answer.attributes.unwrap_or_default().into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    Ok(QueueDepth::from_attributes(&attributes)?)
}
