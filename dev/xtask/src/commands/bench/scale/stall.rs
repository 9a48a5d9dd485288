//! How late the machine lets a timer be: reactions are measured no better than that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_millis(50);

/// A timer that runs until it is dropped.
pub(super) struct Stalls {
    most_micros: Arc<AtomicU64>,
    timer: AbortHandle,
}

impl Stalls {
    pub(super) fn watch() -> Self {
        let most_micros = Arc::new(AtomicU64::new(0));
        let most = most_micros.clone();
        let timer = tokio::spawn(async move {
            loop {
                let due = Instant::now() + EVERY;
                tokio::time::sleep_until(due).await;
                most.fetch_max(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        Self { most_micros, timer: timer.abort_handle() }
    }

    /// The most that it was late until now, in milliseconds.
    pub(super) fn most_ms(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // below an hour
        let micros = self.most_micros.load(Ordering::Relaxed) as f64;
        micros / 1e3
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_that_is_held_up_shows() {
        let stalls = Stalls::watch();
        tokio::time::sleep(EVERY / 2).await;
        #[expect(clippy::disallowed_methods, reason = "holds the only thread up, on purpose")]
        std::thread::sleep(EVERY * 4);
        tokio::time::sleep(EVERY).await;
        assert!(stalls.most_ms() >= 100.0);
    }
}
