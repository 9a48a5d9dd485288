//! Virtual time: an epoch and tokio's paused clock. Knows nothing of what happens in it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// When every run begins, unless said otherwise: 2026-01-01T00:00:00Z.
pub const EPOCH_SECOND: i64 = 1_767_225_600;

/// A clock that shows the virtual time as a date.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    epoch: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that shows `epoch` now. To be made inside the runtime whose time is paused.
    #[must_use]
    pub fn start(epoch: Timestamp) -> Self {
        Self { epoch, started: Instant::now() }
    }

    /// The virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    /// Seconds since the start.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// `at` in seconds since the start; below 0 before it.
    #[must_use]
    pub fn seconds_at(&self, at: Timestamp) -> f64 {
        at.duration_since(self.epoch).as_secs_f64()
    }

    /// The moment that this clock shows as `at`; the start for any before it.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        self.started + Duration::try_from(at.duration_since(self.epoch)).unwrap_or_default()
    }

    /// Sleeps until the clock shows `at`, or a millisecond later.
    pub async fn sleep_until(&self, at: Timestamp) {
        tokio::time::sleep_until(self.instant(at)).await;
    }

    fn at(&self, instant: Instant) -> Timestamp {
        let passed = SignedDuration::try_from(instant.duration_since(self.started)).unwrap_or_default();
        self.epoch.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::start(Timestamp::from_second(EPOCH_SECOND).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}
