//! Results announced on this replica's reply queue, handed to those who wait. A lost announcement loses nothing:
//! the result object in S3 is the truth.

use std::time::Duration;

use aws_sdk_sqs::types::Message;
use tokio_util::sync::CancellationToken;
use wire::JobResult;

use crate::answer;
use crate::aws::{AwsError, Queue};
use crate::events::Hub;
use crate::registry::Registry;

/// Receivers side by side: while one deletes what it delivered, the others go on receiving.
const POLLERS: usize = 3;

/// Pauses after failures, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Receives until `stop`.
pub(crate) async fn run(queue: Queue, registry: Registry, events: Hub, stop: CancellationToken) {
    let pollers = (0..POLLERS).map(|_| poll(&queue, &registry, &events));
    tokio::select! {
        _ = futures::future::join_all(pollers) => {}
        () = stop.cancelled() => {}
    }
}

async fn poll(queue: &Queue, registry: &Registry, events: &Hub) {
    let mut pause = FIRST_PAUSE;
    loop {
        match receive(queue, registry, events).await {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => {
                tracing::warn!(queue = queue.name(), pause_seconds = pause.as_secs(), %error, "answers cannot be received, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

async fn receive(queue: &Queue, registry: &Registry, events: &Hub) -> Result<(), AwsError> {
    let messages = queue.receive().await?;
    if messages.is_empty() {
        return Ok(());
    }
    for message in &messages {
        deliver(message, registry, events);
    }
    queue.delete(messages).await
}

/// A message that is no result is logged and, like all others, deleted: it would come back for ever.
fn deliver(message: &Message, registry: &Registry, events: &Hub) {
    match serde_json::from_str::<JobResult>(message.body().unwrap_or_default()) {
        Ok(result) => {
            let id = result.id;
            // Also for those who wait no longer: a page may show it.
            events.finished(id, || answer::finished(&result));
            let awaited = registry.deliver(result);
            tracing::debug!(job = %id, awaited, "a result was announced");
        }
        Err(error) => tracing::warn!(message = message.message_id(), %error, "a message on the reply queue is no result, deleting it"),
    }
}
