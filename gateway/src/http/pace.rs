//! How slow a body may come: so many bytes for so much waiting, over and over. Silence and drips end the same way.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// What must come within [`WINDOW`] of waiting: 1 KiB a second.
pub(crate) const LEAST_BYTES: usize = 30 * 1024;
/// How long is waited for it. Time in which nobody asks for more does not count.
pub(crate) const WINDOW: Duration = Duration::from_secs(30);

/// Watches one body.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Waiting that is left, and bytes that came, in this window.
    left: Duration,
    came: usize,
    waits_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { left: WINDOW, came: 0, waits_since: None, alarm: None }
    }

    /// Bytes came.
    pub(crate) fn came(&mut self, bytes: usize) {
        if let Some(since) = self.waits_since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        self.came = self.came.saturating_add(bytes);
        if self.came >= LEAST_BYTES {
            (self.left, self.came) = (WINDOW, 0);
        }
    }

    /// Polled while there is nothing to read; ready once that has been so for too long.
    pub(crate) fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let begins = self.waits_since.is_none();
        let since = *self.waits_since.get_or_insert_with(Instant::now);
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.left)));
        if begins {
            alarm.as_mut().reset(since + self.left);
        }
        alarm.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds until a client that sends `bytes` every `pause` is given up; none when it is not within a day.
    async fn given_up(bytes: usize, pause: u64) -> Option<u64> {
        let (mut pace, begun) = (Pace::new(), Instant::now());
        while begun.elapsed() < Duration::from_hours(24) {
            let too_slow = std::future::poll_fn(|context| pace.poll_too_slow(context));
            if tokio::time::timeout(Duration::from_secs(pause), too_slow).await.is_ok() {
                return Some(begun.elapsed().as_secs());
            }
            pace.came(bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_a_kibibyte_a_second_is_given_up_however_it_is_spread() {
        let table = [
            (1, 29, Some(30)),
            (1, 60, Some(30)),
            (LEAST_BYTES, 60, Some(30)),
            (1000, 1, Some(30)),
            (1100, 1, None),
            (LEAST_BYTES, 29, None),
            (10 << 20, 29, None),
        ];
        for (bytes, pause, seconds) in table {
            assert_eq!(given_up(bytes, pause).await, seconds, "{bytes} bytes every {pause} s");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_asks_does_not_count() {
        let mut pace = Pace::new();
        for _ in 0..3 {
            let too_slow = std::future::poll_fn(|context| pace.poll_too_slow(context));
            assert!(tokio::time::timeout(Duration::from_secs(9), too_slow).await.is_err());
            pace.came(1);
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
    }
}
