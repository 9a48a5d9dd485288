//! How many results came in the last minute, and what that means for who is to come back later.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Seconds after which another try makes sense when nothing is known.
pub(crate) const RETRY_SECONDS: u32 = 5;

/// Longest that somebody is told to stay away, in seconds: more is a guess.
const LONGEST_RETRY_SECONDS: u32 = 60;

/// Seconds that are looked back.
const WINDOW: u64 = 60;

/// Counts results by the second.
#[derive(Debug)]
pub(crate) struct Rate {
    begun: Instant,
    counts: Mutex<Counts>,
}

impl Rate {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), counts: Mutex::default() }
    }

    /// A result came.
    pub(crate) fn one_more(&self) {
        self.counts().one_more(self.begun.elapsed().as_secs());
    }

    /// Results of the last 60 s.
    pub(crate) fn last_minute(&self) -> u32 {
        self.counts().sum(self.begun.elapsed().as_secs())
    }

    /// Results a second, of the last minute or of what has passed since the beginning if that is less.
    pub(crate) fn per_second(&self) -> f64 {
        f64::from(self.last_minute()) / self.begun.elapsed().as_secs_f64().clamp(1.0, WINDOW as f64)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of each second modulo 60: which it was, and its results.
#[derive(Debug)]
struct Counts([(u64, u32); WINDOW as usize]);

impl Default for Counts {
    fn default() -> Self {
        Self([(0, 0); WINDOW as usize])
    }
}

impl Counts {
    fn one_more(&mut self, now: u64) {
        let second = &mut self.0[(now % WINDOW) as usize];
        if second.0 != now {
            *second = (now, 0);
        }
        second.1 = second.1.saturating_add(1);
    }

    fn sum(&self, now: u64) -> u32 {
        self.0.iter().filter(|(second, _)| second + WINDOW > now).map(|(_, count)| count).sum()
    }
}

/// Seconds until a tenth of the `places` is free, with `waiting` of them taken and so many results in the last minute.
pub(crate) fn retry_after(waiting: u32, places: u32, last_minute: u32) -> u32 {
    if last_minute == 0 {
        return RETRY_SECONDS;
    }
    let keep = places - places.div_ceil(10);
    let seconds = (u64::from(waiting.saturating_sub(keep)) * WINDOW).div_ceil(last_minute.into());
    u32::try_from(seconds).unwrap_or(u32::MAX).clamp(1, LONGEST_RETRY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_finds_a_tenth_of_the_places_free() {
        let table = [
            // (waiting, places, results of the last minute, seconds)
            (1000, 1000, 0, 5),
            (1000, 1000, 600, 10),
            (1000, 1000, 601, 10),
            (1000, 1000, 60_000, 1),
            (1000, 1000, 1, 60),
            (950, 1000, 600, 5),
            (900, 1000, 600, 1),
            (0, 1000, 600, 1),
            (1, 1, 60, 1),
            (1, 1, 6, 10),
            (u32::MAX, u32::MAX, 1, 60),
        ];
        for (waiting, places, last_minute, seconds) in table {
            assert_eq!(retry_after(waiting, places, last_minute), seconds, "{waiting} of {places} at {last_minute} a minute");
        }
    }

    #[test]
    fn only_the_last_minute_counts() {
        let mut counts = Counts::default();
        for second in [0, 0, 30, 59] {
            counts.one_more(second);
        }
        let sums: Vec<_> = [0, 59, 60, 89, 90, 118, 119].into_iter().map(|now| counts.sum(now)).collect();
        assert_eq!(sums, [4, 4, 2, 2, 1, 1, 0]);
        counts.one_more(119);
        assert_eq!(counts.sum(119), 1);
    }
}
