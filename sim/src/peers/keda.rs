//! KEDA's aws-sqs-queue scaler and the HorizontalPodAutoscaler that it makes, with the defaults of both. A pod has a node of its own,
//! which comes and goes with it at once: kinder than a cluster autoscaler is.
//!
//! keda.sh, "Scaling Deployments": pollingInterval 30 s, cooldownPeriod 300 s, 0 ↔ 1 is KEDA's, 1 ↔ n the HPA's; "AWS SQS Queue":
//! queueLength 5, activationQueueLength 0, visible and in-flight messages count. kubernetes.io, "Horizontal Pod Autoscaling": a sync each
//! 15 s, tolerance 0.1, scale-down window 300 s, scale-up by 4 pods or 100 % within 15 s, whichever is more.

use std::collections::VecDeque;

use super::seeds::whole;
use super::{Decider, Seen};

const QUEUE_LENGTH: f64 = 5.0;
const TOLERANCE: f64 = 0.1;
const WINDOW_SECONDS: f64 = 300.0;
const COOLDOWN_SECONDS: f64 = 300.0;

/// Asked every 15 s: each time the HPA syncs, and every second time KEDA polls.
pub(super) struct Keda {
    max: u32,
    replicas: u32,
    polls: bool,
    active_at: f64,
    /// When, and how many: the highest of the window counts.
    recommended: VecDeque<(f64, u32)>,
}

impl Keda {
    pub(super) fn new(max: u32) -> Self {
        Self { max, replicas: 0, polls: false, active_at: 0.0, recommended: VecDeque::new() }
    }

    /// KEDA's part: from zero and to zero.
    fn poll(&mut self, messages: u64, second: f64) {
        if messages > 0 {
            self.active_at = second;
            self.replicas = self.replicas.max(1);
        } else if second - self.active_at > COOLDOWN_SECONDS {
            self.replicas = 0;
            self.recommended.clear();
        }
    }

    /// The HPA's part: `GetExternalPerPodMetricReplicas`, then the stabilisation window, then the scale-up policies.
    fn sync(&mut self, messages: u64, second: f64) {
        #[allow(clippy::cast_precision_loss)] // messages are far below 2⁵³
        let ratio = messages as f64 / (QUEUE_LENGTH * f64::from(self.replicas));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 5
        let wanted = whole(messages.div_ceil(QUEUE_LENGTH as u64));
        let wanted = if (ratio - 1.0).abs() <= TOLERANCE { self.replicas } else { wanted };
        self.recommended.push_back((second, wanted));
        while self.recommended.front().is_some_and(|(at, _)| second - at > WINDOW_SECONDS) {
            self.recommended.pop_front();
        }
        // The window holds the number against falling only: what is recommended now may always raise it.
        let highest = self.recommended.iter().map(|(_, number)| *number).max().unwrap_or(wanted);
        let stable = if wanted < self.replicas { highest.min(self.replicas) } else { wanted };
        let most = (self.replicas + 4).max(self.replicas * 2);
        self.replicas = stable.min(most).clamp(1, self.max);
    }
}

impl Decider for Keda {
    fn decide(&mut self, Seen { second, visible, in_flight, .. }: Seen) -> u32 {
        let messages = visible + in_flight;
        self.polls = !self.polls;
        if self.polls {
            self.poll(messages, second);
        }
        if self.replicas > 0 {
            self.sync(messages, second);
        }
        self.replicas
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(keda: &mut Keda, from: f64, messages: &[u64]) -> Vec<u32> {
        let mut second = from;
        let mut next = |visible| {
            second += 15.0;
            keda.decide(Seen { second, visible, ..Seen::default() })
        };
        messages.iter().map(|visible| next(*visible)).collect()
    }

    #[test]
    fn it_wakes_at_a_poll_and_rises_by_four_or_by_half_of_the_result() {
        assert_eq!(numbers(&mut Keda::new(20), 0.0, &[0, 100, 100, 100, 100, 100]), [0, 0, 5, 10, 20, 20]);
    }

    #[test]
    fn it_falls_after_the_window_and_to_zero_after_the_cooldown() {
        for (messages, fallen) in [(1, 1), (0, 0)] {
            let mut keda = Keda::new(20);
            numbers(&mut keda, 0.0, &[100, 100, 100, 100]);
            let after = numbers(&mut keda, 60.0, &[messages; 24]);
            let at = |seconds: usize| after[seconds / 15 - 1];
            assert_eq!([at(15), at(300), at(315), at(360)], [20, 20, fallen, fallen], "{after:?}");
        }
    }

    #[test]
    fn within_a_tenth_of_the_target_nothing_changes() {
        let mut keda = Keda::new(20);
        numbers(&mut keda, 0.0, &[50; 4]);
        assert_eq!(numbers(&mut keda, 60.0, &[54, 56, 57]), [10, 12, 12]);
    }
}
