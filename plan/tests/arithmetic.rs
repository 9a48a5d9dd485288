//! Where KEDA and the HorizontalPodAutoscaler define the arithmetic, ours agrees with theirs.
#![allow(clippy::type_complexity, clippy::unwrap_used)]

mod common;

use std::collections::HashMap;

use common::{ago, fleet, inputs, noon, observed, per_worker, rules, secs};
use plan::desired::{damped, for_messages, limited};
use plan::{
    Allowance, Change, Counted, Fleet, Inputs, LimitedBy, Observed, PastChange, Policy, QueueDepth, Recommendation, Rules, SampleError,
    Select, desired,
};

const VISIBLE: &str = "ApproximateNumberOfMessages";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";

fn attributes(visible: &str, in_flight: &str, delayed: &str) -> HashMap<String, String> {
    [(VISIBLE, visible), (IN_FLIGHT, in_flight), (DELAYED, delayed)].map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// KEDA, pkg/scalers/aws_sqs_queue_scaler_test.go: 200 visible, 100 in flight, 50 delayed.
#[test]
fn keda_queue_arithmetic() {
    let depth = QueueDepth::from_attributes(&attributes("200", "100", "50")).unwrap();
    let table = [((false, false), 200), ((true, false), 300), ((true, true), 350), ((false, true), 250)];
    for ((in_flight, delayed), backlog) in table {
        assert_eq!(depth.backlog(Counted { in_flight, delayed }), backlog, "in flight {in_flight}, delayed {delayed}");
    }
}

#[test]
fn a_missing_attribute_is_no_empty_queue() {
    for missing in [VISIBLE, IN_FLIGHT, DELAYED] {
        let mut attributes = attributes("1", "2", "3");
        attributes.remove(missing);
        assert_eq!(QueueDepth::from_attributes(&attributes), Err(SampleError::Missing(missing)));
    }
}

#[test]
fn what_is_no_number_is_no_empty_queue() {
    for value in ["", "NotInt", "-1", "1.5", " 7", "99999999999999999999"] {
        for name in [VISIBLE, IN_FLIGHT, DELAYED] {
            let mut attributes = attributes("1", "2", "3");
            attributes.insert(name.to_owned(), value.to_owned());
            assert_eq!(QueueDepth::from_attributes(&attributes), Err(SampleError::NotANumber { name, value: value.to_owned() }));
        }
    }
}

/// One more than an i32 holds: KEDA's own case for an overflow.
#[test]
fn two_billion_messages_are_counted() {
    let depth = QueueDepth::from_attributes(&attributes("2147483648", "2147483648", "0")).unwrap();
    assert_eq!(depth.backlog(Counted { in_flight: true, delayed: true }), 4_294_967_296);
    let full = QueueDepth { visible: u64::MAX, in_flight: u64::MAX, delayed: u64::MAX };
    assert_eq!(full.backlog(Counted { in_flight: true, delayed: true }), u64::MAX);
}

/// Kubernetes, pkg/controller/podautoscaler/horizontal_test.go: (wanted, min–max) → replicas.
#[test]
fn hpa_clamps() {
    let table = [
        ((7, 3, 8), (7, None)),
        ((1, 2, 8), (2, Some(LimitedBy::Min))),
        ((1000, 1, 10), (10, Some(LimitedBy::Max))),
        ((0, 0, 5), (0, None)),
    ];
    for ((wanted, min, max), expected) in table {
        assert_eq!(limited(wanted, min, max), expected, "{wanted} within {min}–{max}");
    }
}

/// The HPA's external metric per replica: (replicas, metric, target) → replicas.
#[test]
fn hpa_numbers_and_tolerance() {
    let table = [
        ((3, 8600, 2150), 4),
        ((3, 8600, 2900), 3),
        ((5, 8600, 2867), 3),
        ((4, 20166, 5000), 4),
        ((3, 20000, 5000), 4),
        ((5, 6000, 2000), 3),
        // From nothing there is no tolerance; at its edges the number is kept, beyond it is not.
        ((0, 1, 5000), 1),
        ((10, 110, 10), 10),
        ((10, 111, 10), 12),
        ((10, 90, 10), 10),
        ((10, 89, 10), 9),
    ];
    for ((before, backlog, target), expected) in table {
        assert_eq!(for_messages(backlog, target.try_into().unwrap(), before, &fleet()), expected, "{before} with {backlog} at {target}");
    }
}

#[test]
fn each_direction_has_its_own_tolerance() {
    let tolerant =
        |up, down| Fleet { scale_up: Rules { tolerance: up, ..rules(0) }, scale_down: Rules { tolerance: down, ..rules(0) }, ..fleet() };
    let ten = 10.try_into().unwrap();
    let table = [((0.0, 0.5), 101, 11), ((0.5, 0.0), 150, 10), ((0.0, 0.5), 51, 10), ((0.5, 0.0), 99, 10), ((0.5, 0.0), 89, 9)];
    for ((up, down), backlog, expected) in table {
        assert_eq!(for_messages(backlog, ten, 10, &tolerant(up, down)), expected, "{backlog} with {up} up, {down} down");
    }
}

/// What the number becomes when `recommended` was asked for at the times in `history` before, each `(minutes ago, number)`.
fn stabilised(fleet: &Fleet, before: u32, history: &[(i64, u32)], recommended: u32) -> u32 {
    let history = history.iter().map(|(minutes, workers)| Recommendation { at: ago(minutes * 60), workers: *workers }).collect();
    let observed = Observed { history, desired: before, ..observed(0, vec![]) };
    damped(fleet, &Inputs::of(fleet, &observed, noon()), recommended, &mut Vec::new()).workers
}

/// Kubernetes, horizontal_test.go, `TestNormalizeDesiredReplicas`: a window of 5 minutes, falling.
#[test]
fn hpa_stabilisation() {
    let fleet = Fleet { scale_down: rules(300), ..fleet() };
    let table: [(&[(i64, u32)], u32, u32); 4] =
        [(&[], 5, 5), (&[(2, 4), (1, 5)], 3, 5), (&[(2, 1), (1, 2)], 3, 3), (&[(10, 10), (9, 9)], 3, 3)];
    for (history, recommended, expected) in table {
        let before = history.iter().map(|(_, workers)| *workers).chain([recommended]).max().unwrap();
        assert_eq!(stabilised(&fleet, before, history, recommended), expected, "{history:?}, then {recommended}");
    }
}

/// `TestNormalizeDesiredReplicasWithBehavior`: both directions, each with its own window.
#[test]
fn hpa_stabilisation_in_both_directions() {
    let windows = |up, down| Fleet { scale_up: rules(up), scale_down: rules(down), max: 200, ..fleet() };
    let table: [(&str, (i64, i64), u32, &[(i64, u32)], u32, u32); 7] = [
        ("rising waits for the lowest", (300, 0), 100, &[(1, 120), (2, 110)], 130, 110),
        ("rising is not below what there is", (300, 0), 100, &[(1, 50), (2, 110)], 130, 100),
        ("falling waits for the highest", (0, 300), 100, &[(1, 80), (2, 90)], 50, 90),
        ("falling is not above what there is", (0, 300), 100, &[(1, 180), (2, 90)], 50, 100),
        ("old ones do not count", (60, 60), 100, &[(2, 10), (3, 190)], 130, 130),
        ("both windows hold it", (300, 300), 100, &[(1, 90), (2, 110)], 100, 100),
        ("a flapping recommendation changes nothing", (300, 300), 100, &[(1, 50), (2, 150)], 60, 100),
    ];
    for (name, (up, down), before, history, recommended, expected) in table {
        assert_eq!(stabilised(&windows(up, down), before, history, recommended), expected, "{name}");
    }
}

#[test]
fn a_window_ends_on_the_second() {
    let fleet = Fleet { scale_down: rules(60), ..fleet() };
    for (seconds, expected) in [(59, 9), (60, 2)] {
        let history = vec![Recommendation { at: ago(seconds), workers: 9 }];
        let observed = Observed { history, desired: 9, ..observed(10, vec![]) };
        assert_eq!(desired(&fleet, &Inputs::of(&fleet, &observed, noon())).workers, expected, "asked for {seconds} s ago");
    }
}

fn pods(value: u32, period: i64) -> Policy {
    Policy { allowance: Allowance::Workers(value), period: secs(period) }
}

fn percent(value: u32, period: i64) -> Policy {
    Policy { allowance: Allowance::Percent(value), period: secs(period) }
}

/// (name, policies, which counts, number before, changes as (seconds ago, by), asked for, allowed).
type Row = (&'static str, Vec<Policy>, Select, u32, Vec<(i64, i64)>, u32, u32);

fn rated(rows: Vec<Row>, set: fn(Rules) -> Fleet, limit: LimitedBy) {
    for (name, policies, select, before, changes, asked, allowed) in rows {
        let fleet = set(Rules { select, policies, ..rules(0) });
        let changes = changes.into_iter().map(|(seconds, by)| PastChange { ago: secs(seconds), by }).collect();
        let mut steps = Vec::new();
        let damped = damped(&fleet, &Inputs { before, changes, ..inputs() }, asked, &mut steps);
        assert_eq!(damped.workers, allowed, "{name}");
        assert_eq!((damped.limited_by, steps.len()), if asked == allowed { (None, 0) } else { (Some(limit), 1) }, "{name}");
    }
}

/// `TestScalingWithRules` and `TestCalculateScaleUpLimitWithScalingRules`.
#[test]
fn hpa_policies_rising() {
    use Select::{Disabled, Max, Min};
    let rows: Vec<Row> = vec![
        ("no policies", vec![], Max, 10, vec![], 500, 500),
        ("4 pods a minute", vec![pods(4, 60)], Max, 10, vec![], 500, 14),
        ("less than allowed", vec![pods(4, 60)], Max, 10, vec![], 12, 12),
        ("50 %", vec![percent(50, 60)], Max, 10, vec![], 500, 15),
        ("10 % of 1 is rounded up", vec![percent(10, 60)], Max, 1, vec![], 500, 2),
        ("10 % of 100", vec![percent(10, 60)], Max, 100, vec![], 500, 110),
        ("200 %", vec![percent(200, 60)], Max, 10, vec![], 500, 30),
        ("the one that allows most", vec![pods(4, 60), percent(100, 60)], Max, 10, vec![], 500, 20),
        ("the one that allows least", vec![pods(4, 60), pods(2, 60)], Min, 5, vec![], 500, 7),
        ("least, of both kinds", vec![pods(4, 60), percent(100, 60)], Min, 10, vec![], 500, 14),
        ("disabled", vec![pods(4, 60)], Disabled, 10, vec![], 500, 10),
        ("part of it was used", vec![pods(4, 60)], Max, 12, vec![(30, 2)], 500, 14),
        ("all of it was used", vec![pods(4, 60)], Max, 14, vec![(30, 4)], 500, 14),
        ("more than all was used, by another rule then", vec![pods(4, 60)], Max, 19, vec![(30, 9)], 500, 19),
        ("the percentage is of what there was", vec![percent(50, 60)], Max, 12, vec![(30, 2)], 500, 15),
        ("what fell may rise again", vec![pods(4, 60)], Max, 8, vec![(30, -2)], 500, 14),
        ("each period has its changes", vec![pods(4, 60), pods(10, 600)], Min, 14, vec![(90, 4)], 500, 18),
        ("the longer one binds", vec![pods(9, 60), pods(10, 600)], Min, 14, vec![(90, 8)], 500, 16),
        ("a period ends on the second", vec![pods(4, 60)], Max, 14, vec![(60, 4)], 500, 18),
    ];
    rated(rows, |scale_up| Fleet { scale_up, max: 1000, ..fleet() }, LimitedBy::ScaleUpPolicy);
}

/// `TestScalingWithRules` and `TestCalculateScaleDownLimitWithBehaviors`.
#[test]
fn hpa_policies_falling() {
    use Select::{Disabled, Max, Min};
    let rows: Vec<Row> = vec![
        ("no policies", vec![], Max, 10, vec![], 0, 0),
        ("2 pods a minute", vec![pods(2, 60)], Max, 10, vec![], 0, 8),
        ("20 %", vec![percent(20, 60)], Max, 10, vec![], 0, 8),
        ("10 % of 5 is rounded in favour of falling", vec![percent(10, 60)], Max, 5, vec![], 0, 4),
        ("all", vec![percent(100, 15)], Max, 10, vec![], 0, 0),
        ("more pods than there are", vec![pods(50, 60)], Max, 10, vec![], 0, 0),
        ("the one that allows most", vec![pods(4, 60), percent(20, 60)], Max, 10, vec![], 0, 6),
        ("the one that allows least", vec![pods(4, 60), percent(20, 60)], Min, 10, vec![], 0, 8),
        ("disabled", vec![percent(100, 60)], Disabled, 10, vec![], 0, 10),
        ("part of it was used", vec![pods(4, 60)], Max, 8, vec![(10, -2)], 0, 6),
        ("all of it was used", vec![pods(4, 60)], Max, 6, vec![(10, -4)], 0, 6),
        ("the percentage is of what there was", vec![percent(20, 60)], Max, 9, vec![(10, -1)], 0, 8),
        ("what rose may fall again", vec![pods(2, 60)], Max, 12, vec![(30, 2)], 0, 8),
    ];
    rated(rows, |scale_down| Fleet { scale_down, max: 1000, ..fleet() }, LimitedBy::ScaleDownPolicy);
}

/// Changes are read from what was observed, as far back as the longest policy looks.
#[test]
fn changes_count_as_long_as_a_policy_looks_back() {
    let scale_up = Rules { policies: vec![pods(4, 60)], ..rules(0) };
    let fleet = Fleet { scale_up, max: 100, ..fleet() };
    for (seconds, allowed) in [(59, 12), (60, 16)] {
        let changes = vec![Change { at: ago(seconds), by: 4 }];
        let observed = Observed { changes, desired: 12, ..observed(500, vec![]) };
        assert_eq!(desired(&fleet, &Inputs::of(&fleet, &observed, noon())).workers, allowed, "{seconds} s ago");
    }
}

/// Whatever would delay the first worker, it comes; the second one may be delayed.
#[test]
fn nothing_delays_the_first_worker() {
    let slow = [
        Rules { window: secs(600), ..rules(0) },
        Rules { select: Select::Disabled, ..rules(0) },
        Rules { policies: vec![percent(100, 60)], ..rules(0) },
        Rules { policies: vec![pods(0, 60)], ..rules(0) },
        Rules { tolerance: 1.0, ..rules(0) },
    ];
    for scale_up in slow {
        let fleet = Fleet { scale_up, target: per_worker(5), ..fleet() };
        let history = vec![Recommendation { at: ago(1), workers: 0 }];
        let first = desired(&fleet, &Inputs::of(&fleet, &Observed { history, ..observed(1, vec![]) }, noon()));
        assert_eq!((first.workers, first.limited_by), (1, None), "{:?}", first.steps);
    }
}
