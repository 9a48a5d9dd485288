//! Takes messages from the queue, no more than can be worked on soon.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Line;
use super::batch::Expected;
use super::hold::Kept;
use super::queue::Message;
use super::room::Place;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A message, and what goes with it until its end.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) message: Message,
    pub(super) place: Place,
    pub(super) kept: Kept,
    /// The batches that it may join.
    pub(super) reply: Expected,
    pub(super) delete: Expected,
}

/// Receives until `drain` is cancelled.
///
/// A poll that was sent is always heard out, though the drain comes meanwhile: SQS may hand a message to a poll whose
/// client has gone, and nobody else would see it until its visibility timeout ends. What such a poll brings is given back.
pub(super) async fn receive(line: &Line, out: mpsc::UnboundedSender<Held>, drain: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    loop {
        if line.breaker.pass(drain).await.is_none() {
            return;
        }
        let limits = || line.breaker.limits(line.workshop.pace.limits());
        let Some(places) = drain.run_until_cancelled(line.room.take(limits)).await else { return };
        if line.breaker.is_open() {
            // It was not when room was asked for.
            continue;
        }
        match line.workshop.queue.receive(places.len()).await {
            Ok(messages) => {
                pause = FIRST_PAUSE;
                for (message, place) in messages.into_iter().zip(places) {
                    // Nobody listens only when the process ends; the message then comes back by itself.
                    let _ = out.send(hold(line, message, place));
                }
            }
            Err(error) => {
                drop(places);
                tracing::warn!(%error, retry_in_seconds = pause.as_secs(), "no jobs could be received");
                drain.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

fn hold(line: &Line, message: Message, place: Place) -> Held {
    let kept = line.hold.keep(message.receipt.clone(), Instant::now());
    Held { message, place, kept, reply: line.replies.expect(), delete: line.deletes.expect() }
}
