//! Keeps the messages that this worker holds hidden from others, many with one call. Knows nothing of the jobs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::queue::{MAX_BATCH, Queue, Receipt};

/// All messages that are held.
#[derive(Debug)]
pub(super) struct Hold {
    queue: Arc<Queue>,
    held: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    messages: HashMap<u64, Hidden>,
}

#[derive(Debug)]
struct Hidden {
    receipt: Receipt,
    since: Instant,
}

/// A message is kept hidden until this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    hold: Arc<Hold>,
    key: u64,
}

impl Hold {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, held: Mutex::default() }
    }

    /// Keeps a message hidden that was received at `since`.
    pub(super) fn keep(self: &Arc<Self>, receipt: Receipt, since: Instant) -> Kept {
        let mut table = self.table();
        let key = table.next;
        table.next += 1;
        table.messages.insert(key, Hidden { receipt, since });
        Kept { hold: Arc::clone(self), key }
    }

    /// Hides each message for another whole timeout once a third of it is over.
    pub(super) async fn run(&self) -> Infallible {
        let timeout = self.queue.visibility_timeout();
        loop {
            tokio::time::sleep(timeout / 12).await;
            for batch in self.due(timeout / 3).chunks(MAX_BATCH) {
                self.hide(batch, timeout).await;
            }
        }
    }

    async fn hide(&self, batch: &[(u64, Receipt)], timeout: Duration) {
        let (since, messages) = (Instant::now(), batch.iter().map(|(_, receipt)| (receipt.clone(), timeout)).collect::<Vec<_>>());
        match self.queue.hide(&messages).await {
            Ok(refused) => {
                let mut table = self.table();
                for (place, (key, _)) in batch.iter().enumerate() {
                    if let Some(hidden) = table.messages.get_mut(key).filter(|_| !refused.iter().any(|(at, _)| *at == place)) {
                        hidden.since = since;
                    }
                }
                drop(table);
                // The job goes on: at worst another worker does it too, and both write the same result. So it was, too, when the
                // message was deleted meanwhile.
                refused.iter().for_each(|(_, reason)| tracing::debug!(reason, "a job could not be kept hidden"));
            }
            Err(error) => tracing::warn!(jobs = messages.len(), %error, "jobs could not be kept hidden"),
        }
    }

    fn due(&self, age: Duration) -> Vec<(u64, Receipt)> {
        let table = self.table();
        let due = table.messages.iter().filter(|(_, hidden)| hidden.since.elapsed() >= age);
        due.map(|(key, hidden)| (*key, hidden.receipt.clone())).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.hold.table().messages.remove(&self.key);
    }
}
