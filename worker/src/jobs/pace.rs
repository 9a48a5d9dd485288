//! How quick this worker is, as measured when it started and by every job since; how much it may hold follows from it.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::room::Limits;

/// How much one image weighs against all before: about the last hundred count.
const WEIGHT: f64 = 0.02;
/// What waits here is begun within this time: long enough to receive and fetch more meanwhile, short enough to be fair.
const AHEAD: Duration = Duration::from_secs(1);
/// However quick.
const MOST_WAITING: usize = 256;
/// Jobs whose result is being stored, answered or deleted.
const MOST_FINISHING: usize = 64;
/// One poller at a time brings about so many messages a second.
const PER_POLLER: f64 = 200.0;
const MOST_POLLERS: usize = 4;

/// The pace of one worker.
#[derive(Debug)]
pub struct Pace {
    parallelism: NonZeroUsize,
    measured: Mutex<Measured>,
}

#[derive(Debug, Clone, Copy)]
struct Measured {
    seconds_per_image: f64,
    images: u64,
}

impl Pace {
    /// Begins with what was measured with `parallelism` images at a time.
    #[must_use]
    pub fn new(images_per_second: f64, parallelism: NonZeroUsize) -> Self {
        #[allow(clippy::cast_precision_loss)] // far below 2⁵³ cores
        let seconds_per_image = parallelism.get() as f64 / images_per_second.max(1e-3);
        Self { parallelism, measured: Mutex::new(Measured { seconds_per_image, images: 0 }) }
    }

    /// Images that are decoded and classified at a time.
    #[must_use]
    pub fn parallelism(&self) -> NonZeroUsize {
        self.parallelism
    }

    /// One image took so many seconds to decode and classify.
    pub(super) fn observe(&self, seconds: f64) {
        let mut measured = self.measured();
        measured.images += 1;
        measured.seconds_per_image += WEIGHT * (seconds - measured.seconds_per_image);
    }

    /// What it could do at its latest pace, all cores together.
    #[must_use]
    pub fn images_per_second(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // far below 2⁵³ cores
        let cores = self.parallelism.get() as f64;
        cores / self.measured().seconds_per_image.max(1e-6)
    }

    /// Images that were observed so far.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.measured().images
    }

    /// How many messages may be held. One more than there are cores may always wait, so that the next one begins at once.
    pub(super) fn limits(&self) -> Limits {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
        let soon = (self.images_per_second() * AHEAD.as_secs_f64()) as usize;
        let waiting = soon.clamp(self.parallelism.get() + 1, MOST_WAITING.max(self.parallelism.get() + 1));
        Limits { waiting, all: waiting + self.parallelism.get() + MOST_FINISHING }
    }

    /// How many polls it takes to keep up.
    pub(super) fn pollers(&self) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
        let pollers = (self.images_per_second() / PER_POLLER).ceil() as usize;
        pollers.clamp(1, MOST_POLLERS)
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(images_per_second: f64, cores: usize) -> Pace {
        Pace::new(images_per_second, NonZeroUsize::new(cores).unwrap())
    }

    #[test]
    fn no_more_is_held_than_a_second_of_work() {
        let waiting = |rate, cores| pace(rate, cores).limits().waiting;
        assert_eq!([waiting(0.5, 1), waiting(10.0, 2), waiting(60.0, 1), waiting(5000.0, 16)], [2, 10, 60, 256]);
        assert_eq!([pace(60.0, 1).pollers(), pace(500.0, 8).pollers(), pace(1e6, 64).pollers()], [1, 3, 4]);
    }

    #[test]
    fn larger_photos_than_the_first_one_change_the_pace() {
        let pace = pace(100.0, 2);
        for _ in 0..300 {
            pace.observe(0.2);
        }
        assert!((pace.images_per_second() - 10.0).abs() < 0.1, "{}", pace.images_per_second());
        assert_eq!((pace.limits().waiting, pace.images()), (10, 300));
    }
}
