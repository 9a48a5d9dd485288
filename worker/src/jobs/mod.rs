//! The worker's loop: receives jobs and does them, several at a time, until it is told to drain.

mod classify;
mod heartbeat;
mod image;
mod process;
mod publish;
mod queue;
mod receive;

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

pub use classify::{Classified, ClassifyError, classify};
pub use process::Workshop;
pub use publish::Publisher;
pub use queue::{Queue, QueueError};
use receive::{Held, receive};

/// Who answers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// EC2 instance id.
    pub worker: String,
    /// Revision of the fleet.
    pub revision: String,
}

/// What is refused.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most pixels of an image.
    pub max_pixels: u64,
    /// Most bytes of an image object.
    pub max_image_bytes: u64,
}

/// Does jobs until `workshop.drain` is cancelled and all that has begun is finished.
///
/// One job more than there are threads may wait, fetched, so that the next one begins at once; what is being published
/// does not count. Stages of different jobs thus overlap, and the CPU infers all the time.
///
/// # Errors
/// When a job's task panicked: the worker is broken and should be started anew.
pub async fn serve(workshop: Arc<Workshop>, parallelism: NonZeroUsize) -> Result<(), JoinError> {
    let places = Arc::new(Semaphore::new(parallelism.get() + 1));
    #[expect(clippy::disallowed_methods, reason = "places bounds what is under way")]
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiving = async {
        receive(&workshop.queue, places, sender, &workshop.drain).await;
        Ok(())
    };
    tokio::try_join!(receiving, dispatch(&workshop, receiver)).map(drop)
}

/// A task for each message; ends when no more come and all tasks have.
async fn dispatch(workshop: &Arc<Workshop>, mut messages: mpsc::UnboundedReceiver<Held>) -> Result<(), JoinError> {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(held) => {
                    let workshop = Arc::clone(workshop);
                    tasks.spawn(async move { process::process(&workshop, held).await });
                }
                None => break,
            },
            Some(ended) = tasks.join_next() => ended??,
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
