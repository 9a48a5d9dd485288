//! EC2 Auto Scaling groups that scale by CloudWatch alarms, of which a metric has a value a minute.
//!
//! docs.aws.amazon.com, EC2 Auto Scaling user guide: "Scaling policy based on Amazon SQS" (the backlog per instance, with metric math);
//! "Target tracking scaling policies" (quick out, slow in: the alarms that it makes look at 3 data points above the target and 15 below
//! nine tenths of it); "Step and simple scaling policies" (steps by how far the alarm is breached; instances that warm up count).

use super::seeds::whole;
use super::{Decider, Seen};

/// Messages for each instance, as KEDA's queueLength is; by AWS's formula 5 s that a message may take over 1 s that it does.
const TARGET: f64 = 5.0;
const POINTS_HIGH: u32 = 3;
const POINTS_LOW: u32 = 15;
const LOW: f64 = 0.9;

/// Asked every minute.
pub(super) struct TargetTracking {
    max: u32,
    desired: u32,
    above: u32,
    below: u32,
}

impl TargetTracking {
    pub(super) fn new(max: u32) -> Self {
        Self { max, desired: 0, above: 0, below: 0 }
    }
}

impl Decider for TargetTracking {
    fn decide(&mut self, Seen { visible, ready, .. }: Seen) -> u32 {
        // Without instances the metric has no value; whoever scales from zero divides by one, at least.
        let in_service = f64::from(ready.max(1));
        #[allow(clippy::cast_precision_loss)] // messages are far below 2⁵³
        let metric = visible as f64 / in_service;
        self.above = if metric > TARGET { self.above + 1 } else { 0 };
        self.below = if metric < LOW * TARGET { self.below + 1 } else { 0 };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of instances, saturates
        let proportional = whole((in_service * metric / TARGET).ceil() as u64);
        if self.above >= POINTS_HIGH || (self.desired == 0 && visible > 0 && self.above > 0) {
            self.desired = self.desired.max(proportional).min(self.max);
        } else if self.below >= POINTS_LOW {
            self.desired = self.desired.min(proportional);
        } else if self.desired == 0 && visible > 0 && self.below >= POINTS_HIGH {
            // A few messages never exceed the target: a minimum of one instance would do them.
            self.desired = 1;
        }
        self.desired
    }
}

/// Steps by the queue's length (messages, instances added), the highest that fits. The user guide leaves them to the user.
const STEPS: [(u64, u32); 3] = [(200, 10), (50, 5), (1, 2)];
/// Minutes without a message until half of the instances go.
const EMPTY_POINTS: u32 = 5;
/// Instances are taken to warm up for so many data points.
const WARM_UP_POINTS: u32 = 2;

/// Asked every minute.
pub(super) struct StepScaling {
    max: u32,
    desired: u32,
    empty: u32,
    /// Points since the last addition, and what it was.
    warming: (u32, u32),
}

impl StepScaling {
    pub(super) fn new(max: u32) -> Self {
        Self { max, desired: 0, empty: 0, warming: (WARM_UP_POINTS, 0) }
    }
}

impl Decider for StepScaling {
    fn decide(&mut self, Seen { visible, in_flight, .. }: Seen) -> u32 {
        self.warming.0 += 1;
        let warming = if self.warming.0 <= WARM_UP_POINTS { self.warming.1 } else { 0 };
        self.empty = if visible + in_flight == 0 { self.empty + 1 } else { 0 };
        if let Some((_, step)) = STEPS.iter().find(|(messages, _)| visible >= *messages) {
            // What still warms up counts for the step.
            let more = step.saturating_sub(warming);
            if more > 0 {
                self.desired = (self.desired + more).min(self.max);
                self.warming = (0, *step);
            }
        } else if self.empty >= EMPTY_POINTS {
            self.desired /= 2;
            self.empty = 0;
        }
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(visible: u64, ready: u32) -> Seen {
        Seen { visible, ready, ..Seen::default() }
    }

    #[test]
    fn target_tracking_needs_three_points_to_rise_and_fifteen_to_fall() {
        let mut group = TargetTracking::new(20);
        assert_eq!(group.decide(seen(10, 0)), 2, "from zero");
        assert_eq!([40, 40, 40].map(|visible| group.decide(seen(visible, 2))), [2, 8, 8]);
        let falling: Vec<u32> = (0..16).map(|_| group.decide(seen(0, 8))).collect();
        assert_eq!((falling[13], falling[14]), (8, 0));
    }

    #[test]
    fn steps_count_what_warms_up() {
        let mut group = StepScaling::new(20);
        assert_eq!([60, 60, 300, 300, 60, 60].map(|visible| group.decide(seen(visible, 0))), [5, 5, 10, 10, 10, 15]);
        let idle: Vec<u32> = (0..10).map(|_| group.decide(seen(0, 0))).collect();
        assert_eq!((idle[3], idle[4], idle[9]), (15, 7, 3));
    }
}
