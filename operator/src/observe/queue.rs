//! The depth of a fleet's request queue.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
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

/// Asks SQS how many messages the queue at `url` has.
pub async fn sample(sqs: &Client, url: &str) -> Result<QueueDepth, Error> {
    let call = sqs
        .get_queue_attributes()
        .queue_url(url)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
        .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed);
    let answer = call.send().await.map_err(|error| match error.as_service_error() {
        Some(answer) if answer.is_queue_does_not_exist() => Error::Missing(url.to_owned()),
        _ => Error::Call(DisplayErrorContext(error).to_string()),
    })?;
    let attributes: HashMap<String, String> =
        answer.attributes.unwrap_or_default().into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
    Ok(QueueDepth::from_attributes(&attributes)?)
}
