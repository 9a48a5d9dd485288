//! Keeps a message hidden while its job is worked on, so that no second worker takes it up.

use std::convert::Infallible;
use std::future::Future;

use tokio::time::{MissedTickBehavior, interval_at};

use super::queue::{Message, Queue};

/// Runs `work`; every third of the visibility timeout, the message is hidden for another whole one.
pub(super) async fn during<T>(queue: &Queue, message: &Message, work: impl Future<Output = T>) -> T {
    tokio::select! {
        result = work => result,
        never = beat(queue, message) => match never {},
    }
}

async fn beat(queue: &Queue, message: &Message) -> Infallible {
    let every = queue.visibility_timeout() / 3;
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = queue.hide(message, queue.visibility_timeout()).await {
            // The job goes on: at worst another worker does it too, and both write the same result.
            tracing::warn!(message = message.id, %error, "a job could not be kept hidden");
        }
    }
}
