//! Takes messages from the queue, no more than can be worked on soon: what waits here, no other worker can take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::queue::{Message, Queue, QueueError};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A message and its place among those that wait; the place is free again once the job begins.
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) place: OwnedSemaphorePermit,
}

/// Receives until `drain` is cancelled, each message with one of the `places`.
///
/// A poll in flight is dropped by the drain. Should SQS have answered it just then, its messages come back when their
/// visibility timeout ends.
pub(super) async fn receive(queue: &Queue, places: Arc<Semaphore>, out: mpsc::UnboundedSender<Held>, drain: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        match drain.run_until_cancelled(receive_some(queue, &places)).await {
            None => return,
            Some(Ok(some)) => {
                pause = FIRST_PAUSE;
                for held in some {
                    // Nobody listens only when the process ends; the message then comes back by itself.
                    let _ = out.send(held);
                }
            }
            Some(Err(error)) => {
                tracing::warn!(%error, retry_in_seconds = pause.as_secs(), "no jobs could be received");
                let _ = drain.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Waits for one free place, then asks for as many messages as there are.
async fn receive_some(queue: &Queue, places: &Arc<Semaphore>) -> Result<Vec<Held>, QueueError> {
    let Ok(first) = Arc::clone(places).acquire_owned().await else { return Ok(Vec::new()) };
    let mut free = vec![first];
    while let Ok(place) = Arc::clone(places).try_acquire_owned() {
        free.push(place);
    }
    let messages = queue.receive(free.len()).await?;
    Ok(messages.into_iter().zip(free).map(|(message, place)| Held { message, place }).collect())
}
