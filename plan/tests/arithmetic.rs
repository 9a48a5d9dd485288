//! Where KEDA and the HorizontalPodAutoscaler define the arithmetic, ours agrees with theirs.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use plan::{Counted, LimitedBy, QueueDepth, SampleError, limited};

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

/// Kubernetes, pkg/controller/podautoscaler/horizontal_test.go: (replicas now, wanted, min–max) → replicas.
#[test]
fn hpa_clamps() {
    let table = [
        ((5, 7, 3, 8), (7, None)),
        ((3, 1, 2, 8), (2, Some(LimitedBy::Min))),
        ((20, 1000, 1, 10), (10, Some(LimitedBy::Max))),
        ((0, 0, 0, 5), (0, None)),
    ];
    for ((_now, wanted, min, max), expected) in table {
        assert_eq!(limited(wanted, min, max), expected, "{wanted} within {min}–{max}");
    }
}
