//! Takes messages from the queue, no more than can be worked on soon: what waits here, no other worker can take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::queue::{Message, Queue};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A message and its place among those that wait; the place is free again once the job begins.
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) place: OwnedSemaphorePermit,
}

/// Receives until `drain` is cancelled, each message with one of the `places`.
///
/// A poll that was sent is always heard out, though the drain comes meanwhile: SQS may hand a message to a poll whose
/// client has gone, and nobody else would see it until its visibility timeout ends. What such a poll brings is given back.
pub(super) async fn receive(queue: &Queue, places: Arc<Semaphore>, out: mpsc::UnboundedSender<Held>, drain: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while let Some(free) = drain.run_until_cancelled(free(&places)).await {
        match queue.receive(free.len()).await {
            Ok(messages) => {
                pause = FIRST_PAUSE;
                for (message, place) in messages.into_iter().zip(free) {
                    // Nobody listens only when the process ends; the message then comes back by itself.
                    let _ = out.send(Held { message, place });
                }
            }
            Err(error) => {
                tracing::warn!(%error, retry_in_seconds = pause.as_secs(), "no jobs could be received");
                let _ = drain.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// All places that are free, once there is one.
async fn free(places: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    // The semaphore is never closed.
    let mut free: Vec<_> = Arc::clone(places).acquire_owned().await.into_iter().collect();
    while let Ok(place) = Arc::clone(places).try_acquire_owned() {
        free.push(place);
    }
    free
}
