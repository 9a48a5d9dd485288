//! `scaling.fallback`: what holds while the queue cannot be sampled, from when on, and until when.

use futures::future::join_all;
use serde_json::{Value, json};
use xtask::relay::{Fault, Point, Refusal};

use super::fleet::{Fleet, at_once, condition, desired, steps};
use super::stage::Stage;

/// Failed samples that are put up with.
const THRESHOLD: i64 = 2;

/// A fleet of two workers, what it falls back to, and how many workers that makes.
type Row = (&'static str, Option<(&'static str, u32)>, i32);

const TABLE: [Row; 7] = [
    ("no-fallback", None, 2),
    ("static", Some(("Static", 1)), 1),
    ("current", Some(("CurrentReplicas", 4)), 2),
    ("if-higher", Some(("CurrentReplicasIfHigher", 4)), 4),
    ("if-higher-not", Some(("CurrentReplicasIfHigher", 1)), 2),
    ("if-lower", Some(("CurrentReplicasIfLower", 1)), 1),
    ("if-lower-not", Some(("CurrentReplicasIfLower", 4)), 2),
];

pub async fn the_fallback_holds_while_samples_fail(stage: &Stage) {
    let fleets = join_all(TABLE.map(|(name, fallback, _)| with_two(stage, name, fallback))).await;
    for _ in 0..2 {
        let gate = &stage.lane.gate;
        let sample = gate.seen().into_iter().find(|point| point.call.name() == "sqs:GetQueueAttributes").unwrap();
        gate.begin();
        gate.arm(Point { call: sample.call, nth: 1 }, Fault::Refused(Refusal::Unavailable), 1_000_000);
        let falls = fleets.iter().zip(TABLE).map(|(fleet, (_, fallback, workers))| async move {
            let failed = fleet.until("samples fail for long", |it| failures(it) > THRESHOLD && desired(it) == workers).await;
            assert_eq!(condition(&failed, "ScalingActive"), "False QueueNotSampled");
            let sentence = if fallback.is_some() { "scaling.fallback makes that" } else { "workers are kept." };
            assert!(steps(&failed).contains(sentence), "{}", steps(&failed));
        });
        join_all(falls).await;
        assert!(gate.disarm());
        join_all(fleets.iter().map(|fleet| async move {
            let healed = fleet.until("samples succeed", |it| failures(it) == 0 && desired(it) == 2).await;
            assert_eq!(condition(&healed, "ScalingActive"), "True FollowsQueue");
        }))
        .await;
    }
    for (fleet, (.., workers)) in fleets.iter().zip(TABLE) {
        falls_only_beyond_the_threshold(fleet, workers);
    }
}

async fn with_two<'a>(stage: &'a Stage, name: &'static str, fallback: Option<(&str, u32)>) -> Fleet<'a> {
    let fleet = stage.failing_fleet(name).await;
    fleet.queue.send(2).await;
    let mut scaling = at_once();
    scaling["fallback"] = fallback
        .map_or(Value::Null, |(behavior, workers)| json!({"failureThreshold": THRESHOLD, "behavior": behavior, "workers": workers}));
    fleet.apply(json!({"max": 5}), scaling).await;
    fleet.wants(2).await;
    fleet
}

/// Samples that failed in a row, as the last decision has them.
fn failures(fleet: &crds::ClassifierFleet) -> i64 {
    let decision = fleet.status.as_ref().and_then(|status| status.decision.as_ref());
    decision.map_or(0, |decision| decision.inputs.failed_samples)
}

/// In both times that samples failed; that there was a second time shows that a success begins the count anew.
fn falls_only_beyond_the_threshold(fleet: &Fleet<'_>, workers: i32) {
    let seen = fleet.stage.history.of(fleet.namespace, fleet.name);
    let counts: Vec<(i64, i32)> = seen.iter().map(|seen| (failures(&seen.fleet), desired(&seen.fleet))).collect();
    let from = counts.iter().position(|(_, desired)| *desired == 2).unwrap();
    for (failed, desired) in &counts[from..] {
        let wanted = if *failed > THRESHOLD { workers } else { 2 };
        assert_eq!(*desired, wanted, "{}, after {failed} failed samples: {counts:?}", fleet.name);
    }
}
