//! How often something happens, over the last minute. Pure: time is an argument.

use std::time::{Duration, Instant};

/// Seconds that are looked back on.
const WINDOW_SECONDS: u64 = 60;

/// A sliding window of one count for each second.
#[derive(Debug)]
pub(crate) struct Rate {
    begun: Instant,
    counts: [u32; WINDOW_SECONDS as usize],
    /// The second that was counted last, since `begun`.
    latest: u64,
}

impl Rate {
    /// Nothing has happened before `begun`.
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, counts: [0; WINDOW_SECONDS as usize], latest: 0 }
    }

    /// It happened once more.
    pub(crate) fn record(&mut self, at: Instant) {
        let second = self.forget(at);
        let count = &mut self.counts[(second % WINDOW_SECONDS) as usize];
        *count = count.saturating_add(1);
    }

    /// Times a second, of the last minute or of what has passed since the beginning if that is less.
    pub(crate) fn per_second(&mut self, now: Instant) -> f64 {
        self.forget(now);
        let passed = now.saturating_duration_since(self.begun).clamp(Duration::from_secs(1), Duration::from_secs(WINDOW_SECONDS));
        let happened: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        happened as f64 / passed.as_secs_f64()
    }

    /// Clears the seconds that were passed over. Returns the present one.
    fn forget(&mut self, now: Instant) -> u64 {
        let second = now.saturating_duration_since(self.begun).as_secs().max(self.latest);
        for passed in (self.latest + 1..=second).rev().take(WINDOW_SECONDS as usize) {
            self.counts[(passed % WINDOW_SECONDS) as usize] = 0;
        }
        self.latest = second;
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_counts_and_nothing_before_it() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut rate = Rate::new(begun);
        (0..6).for_each(|_| rate.record(at(0)));
        assert_eq!(rate.per_second(at(2)), 3.0, "of two seconds, as more have not passed");
        (0..6).for_each(|_| rate.record(at(30)));
        assert_eq!(rate.per_second(at(59)), 12.0 / 59.0);
        assert_eq!(rate.per_second(at(60)), 6.0 / 60.0, "the first six are forgotten");
        assert_eq!(rate.per_second(at(90)), 0.0);
        rate.record(at(100_000));
        assert_eq!(rate.per_second(at(100_000)), 1.0 / 60.0, "a long pause leaves nothing behind");
    }
}
