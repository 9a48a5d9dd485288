//! How fast jobs arrive, as far as the queue's depth and the workers' rates tell. Pure.

use jiff::Timestamp;

/// Weighs the last half minute most: seconds until an old value counts for a third.
const MEMORY_SECONDS: f64 = 30.0;

/// Samples whose median tells a stream from a burst.
const SAMPLES: usize = 9;

/// Times that median which one sample may count for, and jobs a second that it always may.
const SPREAD: f64 = 3.0;
const FLOOR: f64 = 1.0;

/// How fast jobs arrive. A burst is no stream: workers for the rate of its second would find nothing to do. What one sample shows
/// therefore counts only as far as the samples around it show something alike.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Arrivals {
    last: Option<(Timestamp, u64)>,
    /// What the last samples showed, each second; the oldest first.
    samples: [f64; SAMPLES],
    /// Jobs each second.
    pub per_second: f64,
}

impl Arrivals {
    /// Takes in that the backlog was `backlog` at `at`, with workers that do `done_per_second` jobs while there are any.
    #[must_use]
    pub fn seen(self, backlog: u64, done_per_second: f64, at: Timestamp) -> Self {
        let last = Some((at, backlog));
        let Some((before, earlier)) = self.last else { return Self { last, ..self } };
        let seconds = at.duration_since(before).as_secs_f64();
        if seconds <= 0.0 {
            return self;
        }
        #[allow(clippy::cast_precision_loss)] // a backlog of 2⁵³ jobs is not to be had
        let (backlog, earlier) = (backlog as f64, earlier as f64);
        // No more can have been done than waited.
        let done = (done_per_second * seconds).min(earlier);
        let arrived = (backlog - earlier + done).max(0.0) / seconds;
        let mut samples = self.samples;
        samples.rotate_left(1);
        samples[SAMPLES - 1] = arrived;
        let arrived = arrived.min(SPREAD * median(samples) + FLOOR);
        let weight = 1.0 - (-seconds / MEMORY_SECONDS).exp();
        let per_second = self.per_second + weight * (arrived - self.per_second);
        Self { last, samples, per_second: if per_second < 0.001 { 0.0 } else { per_second } }
    }
}

fn median(mut samples: [f64; SAMPLES]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_steady_stream_is_learned_and_an_end_is_too() {
        let mut arrivals = Arrivals::default();
        for second in 0..120 {
            // 5 jobs a second come, and workers do as many: the backlog stays.
            arrivals = arrivals.seen(50, 5.0, at(second));
        }
        assert!((arrivals.per_second - 5.0).abs() < 0.2, "{arrivals:?}");
        for second in 120..400 {
            arrivals = arrivals.seen(0, 5.0, at(second));
        }
        assert!(arrivals.per_second < 0.01, "{arrivals:?}");
    }

    #[test]
    fn a_burst_is_no_stream() {
        let mut arrivals = Arrivals::default();
        for (second, backlog) in [0, 0, 100, 300, 300, 300].into_iter().enumerate() {
            arrivals = arrivals.seen(backlog, 0.0, at(second as i64));
        }
        assert!(arrivals.per_second < 0.1, "{arrivals:?}");
    }

    #[test]
    fn few_jobs_now_and_then_are_a_stream_too() {
        let mut arrivals = Arrivals::default();
        for second in 0..600 {
            // One in five seconds, done within the next.
            arrivals = arrivals.seen(u64::from(second % 5 == 0), 1.0, at(second));
        }
        assert!((arrivals.per_second - 0.2).abs() < 0.05, "{arrivals:?}");
    }

    #[test]
    fn a_backlog_that_only_shrinks_is_no_arrival() {
        let arrivals = Arrivals::default().seen(100, 2.0, at(0)).seen(90, 2.0, at(1)).seen(80, 2.0, at(2));
        assert!(arrivals.per_second.abs() < 1e-9, "{arrivals:?}");
    }

    #[test]
    fn no_time_teaches_nothing() {
        let arrivals = Arrivals::default().seen(1, 0.0, at(0));
        assert_eq!(arrivals.seen(9, 0.0, at(0)), arrivals);
    }
}
