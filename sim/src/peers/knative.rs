//! Knative's pod autoscaler (KPA), for which jobs that are not done are requests under way.
//!
//! knative.dev, "Additional autoscaling configuration for Knative Pod Autoscaler": stable window 60 s, panic window 10 % of it, panic
//! threshold 200 %, scale-up rate 1000, scale-down rate 2, no scale-down while panicking; tick-interval 2 s; "Configuring scale to zero":
//! grace period 30 s; "Configuring concurrency": a target utilisation of 70 %. Assumed: containerConcurrency 5, as KEDA's queueLength is.

use std::collections::VecDeque;

use super::seeds::whole;
use super::{Decider, Seen};

const TARGET: f64 = 5.0 * 0.7;
const STABLE_SECONDS: f64 = 60.0;
const PANIC_SECONDS: f64 = 6.0;
const PANIC_THRESHOLD: f64 = 2.0;
const MAX_SCALE_UP: f64 = 1000.0;
const MAX_SCALE_DOWN: f64 = 2.0;
const TO_ZERO_GRACE_SECONDS: f64 = 30.0;

/// Asked every 2 s.
pub(super) struct Kpa {
    max: u32,
    seen: VecDeque<(f64, u64)>,
    /// Over the threshold last, and the most pods wanted since it was first.
    panic: Option<(f64, u32)>,
    idle_since: Option<f64>,
}

impl Kpa {
    pub(super) fn new(max: u32) -> Self {
        Self { max, seen: VecDeque::new(), panic: None, idle_since: None }
    }

    /// Jobs under way in the last `seconds`, on average.
    fn average(&self, now: f64, seconds: f64) -> f64 {
        let within: Vec<u64> = self.seen.iter().filter(|(at, _)| now - at < seconds).map(|(_, jobs)| *jobs).collect();
        #[allow(clippy::cast_precision_loss)] // jobs are far below 2⁵³
        let average = within.iter().sum::<u64>() as f64 / within.len().max(1) as f64;
        average
    }

    /// `Autoscaler.Scale` in knative/serving `pkg/autoscaler/scaling/autoscaler.go`.
    fn pods(&mut self, now: f64, ready: u32) -> u32 {
        let pods = f64::from(ready.max(1));
        let (lowest, highest) = ((pods / MAX_SCALE_DOWN).floor(), (MAX_SCALE_UP * pods).ceil());
        let bounded = |average: f64| ceil((average / TARGET).ceil().clamp(lowest.min(f64::from(ready)), highest));
        let (stable, panic) = (self.average(now, STABLE_SECONDS), self.average(now, PANIC_SECONDS));
        let over = (panic / TARGET).ceil() / pods >= PANIC_THRESHOLD;
        let (stable, panic) = (bounded(stable), bounded(panic));
        self.panic = match self.panic {
            Some((_, most)) if over => Some((now, most.max(panic))),
            None if over => Some((now, panic.max(ready))),
            Some((at, _)) if now - at > STABLE_SECONDS => None,
            calm => calm.map(|(at, most)| (at, most.max(panic))),
        };
        self.panic.map_or(stable, |(_, most)| most.max(stable))
    }
}

impl Decider for Kpa {
    fn decide(&mut self, Seen { second, visible, in_flight, live, ready }: Seen) -> u32 {
        self.seen.push_back((second, visible + in_flight));
        while self.seen.front().is_some_and(|(at, _)| second - at >= STABLE_SECONDS) {
            self.seen.pop_front();
        }
        let wanted = self.pods(second, ready).min(self.max);
        let nothing = self.seen.iter().all(|(_, jobs)| *jobs == 0);
        self.idle_since = if nothing { self.idle_since.or(Some(second)) } else { None };
        let over = self.idle_since.is_some_and(|since| second - since >= TO_ZERO_GRACE_SECONDS);
        if nothing && (over || live == 0) { 0 } else { wanted.max(1) }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of pods
fn ceil(number: f64) -> u32 {
    whole(number.ceil() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_panics_and_is_held_for_the_stable_window_then_idle_pods_go() {
        let mut kpa = Kpa::new(20);
        let mut at = |second: f64, visible, ready| kpa.decide(Seen { second, visible, live: ready, ready, ..Seen::default() });
        assert_eq!(at(0.0, 0, 0), 0);
        assert_eq!(at(2.0, 35, 0), 5, "half of the window was empty: 17.5 jobs at 3.5");
        assert_eq!(at(4.0, 35, 0), 7);
        assert_eq!(at(6.0, 0, 7), 7, "no scale-down while panicking");
        let later: Vec<u32> = (4..80).map(|tick| at(f64::from(tick) * 2.0, 0, 7)).collect();
        assert_eq!(*later.last().unwrap(), 0);
        let first_fall = later.iter().position(|pods| *pods < 7).unwrap();
        assert!((27..36).contains(&first_fall), "after a minute: {later:?}");
    }
}
