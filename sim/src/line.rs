//! A queue that tasks share, with long polls. Decides nothing about messages.

use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::lock;
use crate::queue::{Counts, NotInFlight, Queue, Receipt, Received, Settings};

/// A queue that tasks share.
#[derive(Debug)]
pub struct Line {
    clock: Clock,
    queue: Mutex<Queue>,
    arrived: Notify,
}

impl Line {
    /// An empty queue.
    #[must_use]
    pub fn new(settings: Settings, clock: Clock) -> Self {
        Self { clock, queue: Mutex::new(Queue::new(settings)), arrived: Notify::new() }
    }

    /// Sends a message.
    pub fn send(&self, body: String) -> u64 {
        let id = self.with(|queue, now| queue.send(body, None, None, now));
        self.arrived.notify_one();
        id
    }

    /// Receives up to ten messages, and waits for the first of them for up to `wait`.
    pub async fn receive(&self, max: usize, wait: Duration) -> Vec<Received> {
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            let (received, due) = self.with(|queue, now| (queue.receive(max, None, now), queue.next_due()));
            if !received.is_empty() || Instant::now() >= deadline {
                return received;
            }
            let until = due.map_or(deadline, |at| self.clock.instant(at).min(deadline));
            // Whichever comes first, the queue is looked at again.
            let _ = tokio::time::timeout_at(until, arrived).await;
        }
    }

    /// Deletes a message.
    pub fn delete(&self, receipt: Receipt) {
        self.with(|queue, now| queue.delete(receipt, now));
    }

    /// Hides a message for `timeout` from now; zero shows it at once.
    ///
    /// # Errors
    /// [`NotInFlight`]
    pub fn hide(&self, receipt: Receipt, timeout: SignedDuration) -> Result<(), NotInFlight> {
        let hidden = self.with(|queue, now| queue.hide(receipt, timeout, now));
        if !timeout.is_positive() {
            self.arrived.notify_one();
        }
        hidden
    }

    /// The counters as SQS shows them.
    pub fn counts(&self) -> Counts {
        self.with(Queue::counts)
    }

    /// Works on the queue at the present time. Whoever makes messages visible so calls [`Self::wake`].
    pub fn with<T>(&self, work: impl FnOnce(&mut Queue, Timestamp) -> T) -> T {
        work(&mut lock(&self.queue), self.clock.now())
    }

    /// Lets all who wait look again.
    pub fn wake(&self) {
        self.arrived.notify_waiters();
        self.arrived.notify_one();
    }
}
