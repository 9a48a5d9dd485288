//! When the Lease is to be written. Decides by what it says, what there is to say and the time; writes nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::waiting::Tally;

/// While something waits, the Lease is renewed so often: three times before it expires.
const RENEWED_EVERY: Duration = Duration::from_secs(5);
/// Many more images are told sooner than that, but not sooner than this.
const GROWTH_AFTER: Duration = Duration::from_secs(1);
/// Nothing waits only when nothing came for so long: between two single uploads the Lease is left alone.
const QUIET_FOR: Duration = Duration::from_secs(1);
/// Pauses after failures, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The Lease must say this, now.
    Write(Tally),
    /// Nothing before this time, unless something changes.
    At(Instant),
    /// Nothing, until something changes.
    Rest,
}

/// What the Lease says, and how well that went.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Number of images that the Lease tells of, and when it was told; none before the first write.
    told: Option<(usize, Instant)>,
    /// Since when nothing waits.
    quiet_since: Option<Instant>,
    /// How often writing failed since it last succeeded.
    failures: u32,
    /// Until when a failure forbids to try again.
    paused_until: Option<Instant>,
}

impl State {
    /// What is to be done when this many images wait.
    pub(super) fn next(&mut self, tally: Tally, now: Instant) -> Next {
        let quiet_since = *self.quiet_since.get_or_insert(now);
        if tally.images > 0 {
            self.quiet_since = None;
        }
        let Some(due) = self.due(tally.images, quiet_since, now) else { return Next::Rest };
        let due = self.paused_until.map_or(due, |until| due.max(until));
        if due <= now { Next::Write(tally) } else { Next::At(due) }
    }

    fn due(&self, images: usize, quiet_since: Instant, now: Instant) -> Option<Instant> {
        match (self.told, images) {
            (None | Some((0, _)), 0) => None,
            (None | Some((0, _)), _) => Some(now),
            (Some(_), 0) => Some(quiet_since + QUIET_FOR),
            (Some((told, at)), images) if images >= told + told.div_ceil(2) => Some(at + GROWTH_AFTER),
            (Some((_, at)), _) => Some(at + RENEWED_EVERY),
        }
    }

    /// The Lease says it. Returns how many failures are over.
    pub(super) fn written(&mut self, tally: Tally, now: Instant) -> u32 {
        self.told = Some((tally.images, now));
        self.paused_until = None;
        std::mem::take(&mut self.failures)
    }

    /// The Lease could not be written. Returns how often that has happened in a row.
    pub(super) fn failed(&mut self, now: Instant) -> u32 {
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_PAUSE);
        self.paused_until = Some(now + pause);
        self.failures = self.failures.saturating_add(1);
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(images: usize) -> Tally {
        Tally { images, oldest: None }
    }

    /// Milliseconds, images that wait then, and what follows: whether it is written, or in how many milliseconds it will be.
    enum Then {
        Written,
        In(u64),
        Rests,
    }
    use Then::{In, Rests, Written};

    fn play(story: &[(u64, usize, Then)]) {
        let (mut state, begin) = (State::default(), Instant::now());
        for (at, images, then) in story {
            let now = begin + Duration::from_millis(*at);
            let expected = match then {
                Written => Next::Write(tally(*images)),
                In(milliseconds) => Next::At(now + Duration::from_millis(*milliseconds)),
                Rests => Next::Rest,
            };
            let next = state.next(tally(*images), now);
            assert_eq!(next, expected, "{images} images at {at} ms");
            if let Next::Write(tally) = next {
                state.written(tally, now);
            }
        }
    }

    #[test]
    fn nothing_is_said_while_nothing_comes() {
        play(&[(0, 0, Rests), (60_000, 0, Rests)]);
    }

    #[test]
    fn a_lone_upload_makes_two_writes() {
        play(&[(0, 1, Written), (10, 1, In(4990)), (200, 0, In(1000)), (700, 0, In(500)), (1200, 0, Written), (1201, 0, Rests)]);
    }

    #[test]
    fn single_uploads_after_each_other_are_no_news() {
        play(&[(0, 1, Written), (900, 0, In(1000)), (1800, 1, In(3200)), (1900, 0, In(1000)), (2900, 0, Written), (9000, 1, Written)]);
    }

    #[test]
    fn what_waits_long_is_renewed_before_the_lease_expires() {
        play(&[(0, 4, Written), (4999, 4, In(1)), (5000, 4, Written), (9000, 3, In(1000)), (10_000, 3, Written)]);
    }

    #[test]
    fn growth_by_half_is_told_within_a_second_and_less_is_not() {
        play(&[(0, 1, Written), (5, 2, In(995)), (1000, 300, Written), (1100, 449, In(4900)), (1200, 450, In(800)), (2000, 450, Written)]);
        play(&[(0, 3, Written), (1500, 4, In(3500)), (1600, 5, Written)]);
    }

    #[test]
    fn failures_are_tried_again_less_and_less_often() {
        let (mut state, mut now) = (State::default(), Instant::now());
        for (failure, pause) in [1, 2, 4, 8, 16, 30, 30].into_iter().enumerate() {
            assert_eq!(state.next(tally(7), now), Next::Write(tally(7)));
            assert_eq!(state.failed(now) as usize, failure + 1);
            let again = now + Duration::from_secs(pause);
            assert_eq!(state.next(tally(7), now), Next::At(again));
            now = again;
        }
        assert_eq!(state.written(tally(7), now), 7, "so many failures are over");
        assert_eq!(state.next(tally(7), now), Next::At(now + RENEWED_EVERY));
    }

    #[test]
    fn what_was_never_told_need_not_be_taken_back() {
        let (mut state, now) = (State::default(), Instant::now());
        assert_eq!(state.next(tally(1), now), Next::Write(tally(1)));
        state.failed(now);
        assert_eq!(state.next(tally(0), now), Next::Rest);
    }
}
