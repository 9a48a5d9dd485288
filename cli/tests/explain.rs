//! What is explained of fleets in all their states, as a person and as a program reads it.
#![allow(clippy::unwrap_used)]

mod common;

use cli::explain::{Explanation, text};
use cli::paint::Paint;
use common::{ago, condition, decided, fleet, inputs, noon, with};
use crds::{ClassifierFleet, LaunchAction, LaunchIntent, Offering, OfferingStatus, RolloutStatus};
use jiff::SignedDuration;
use plan::{Group, Inputs, PastChange, QueueDepth};

fn explained(fleet: &ClassifierFleet) -> String {
    text(&Explanation::of(fleet, noon()), Paint::OFF, noon())
}

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

const DRAIN: (&str, &str) = ("messagesPerWorker: 10", "drainSeconds: 60");

fn t3_small(spot: bool) -> Offering {
    Offering { instance_type: "t3.small".to_owned(), subnet_id: None, spot }
}

#[test]
fn messages_per_worker_above_max_with_launches_under_way() {
    let intent = |token: &str, answered: bool, ids: &[&str]| LaunchIntent {
        token: token.to_owned(),
        action: LaunchAction::Launch,
        count: 3,
        revision: "1-4f2a9c".to_owned(),
        template_version: 2,
        offering: t3_small(false),
        requested_at: ago(7),
        asked_at: None,
        answered,
        instance_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let queue = Some(QueueDepth { visible: 280, in_flight: 20, delayed: 3 });
    let fleet = decided(fleet(&[]), &Inputs { queue, waiting: 12, arrivals_per_second: 2.5, ..inputs(0, 2) });
    let fleet = with(fleet, |status| {
        status.workers.starting = 3;
        status.launches = vec![intent("a", false, &[]), intent("b", true, &["i-1", "i-2", "i-3"])];
        status.launches.push(LaunchIntent { action: LaunchAction::Start, ..intent("c", false, &["i-4"]) });
        status.conditions.push(condition("ScalingLimited", "True", "TooManyReplicas", "More workers are wanted than spec.workers.max."));
    });
    insta::assert_snapshot!(explained(&fleet));
    insta::assert_snapshot!("as_json", serde_json::to_string_pretty(&Explanation::of(&fleet, noon())).unwrap());
}

#[test]
fn a_deadline_that_is_met() {
    let booting = Group { workers: 2, ready_in: secs(21), jobs_per_second: 4.0 };
    let workers = vec![Group { workers: 3, ready_in: SignedDuration::ZERO, jobs_per_second: 4.5 }, booting];
    let given = Inputs { workers, oldest_age: Some(SignedDuration::from_millis(4200)), arrivals_per_second: 0.25, ..inputs(900, 5) };
    insta::assert_snapshot!(explained(&decided(fleet(&[DRAIN, ("max: 5", "max: 20")]), &given)));
}

#[test]
fn a_deadline_that_cannot_be_met() {
    let given = Inputs { oldest_age: Some(secs(40)), measured: false, startable: 2, ..inputs(300, 0) };
    insta::assert_snapshot!(explained(&decided(fleet(&[DRAIN]), &given)));
}

#[test]
fn a_window_that_holds_the_number() {
    insta::assert_snapshot!(explained(&decided(fleet(&[]), &Inputs { highest: Some(4), lowest: Some(1), ..inputs(7, 4) })));
}

#[test]
fn a_policy_that_slows_the_rise() {
    let policy = "{scaleUp: {policies: [{type: Pods, value: 2, periodSeconds: 60}]}, scaleDown: {stabilizationWindowSeconds: 10}}";
    let fleet = fleet(&[("{scaleDown: {stabilizationWindowSeconds: 10}}", policy), ("max: 5", "max: 20")]);
    let changes = vec![PastChange { ago: secs(20), by: 1 }, PastChange { ago: secs(50), by: -2 }];
    insta::assert_snapshot!(explained(&decided(fleet, &Inputs { changes, ..inputs(200, 3) })));
}

#[test]
fn a_paused_fleet() {
    let mut paused = fleet(&[]);
    paused.metadata.annotations = Some([(crds::annotation::PAUSED.to_owned(), "true".to_owned())].into());
    insta::assert_snapshot!(explained(&decided(paused, &inputs(45, 2))));
}

#[test]
fn a_pinned_fleet() {
    let pinned = decided(fleet(&[("max: 5", "max: 5\n    replicas: 9")]), &inputs(3, 2));
    let message = "spec.workers.replicas keeps 9 workers, whatever waits. Remove it to follow the queue.";
    insta::assert_snapshot!(explained(&with(pinned, |status| {
        status.conditions.push(condition("ScalingActive", "False", "ReplicasSet", message));
    })));
}

#[test]
fn a_fallback_for_want_of_samples() {
    let fleet = fleet(&[("    behavior:", "    fallback: {failureThreshold: 3, workers: 3}\n    behavior:")]);
    let fleet = decided(fleet, &Inputs { queue: None, failed_samples: 4, ..inputs(0, 1) });
    let message = "The queue imagenet-requests does not exist.";
    insta::assert_snapshot!(explained(&with(fleet, |status| {
        status.conditions =
            vec![condition("Ready", "False", "QueueNotSampled", message), condition("ScalingActive", "False", "QueueNotSampled", message)];
    })));
}

#[test]
fn closed_offerings() {
    let fleet = decided(fleet(&[("instanceTypes: [t3.small]", "instanceTypes: [t3.small]\n      capacity: {spot: true}")]), &inputs(30, 1));
    let closed = |spot: bool, until: i64, reason: &str| OfferingStatus {
        offering: t3_small(spot),
        unavailable_until: Some(ago(-until)),
        probe: Some(if until > 0 { 1 } else { 4 }),
        reason: Some(reason.to_owned()),
        boot_seconds: None,
    };
    insta::assert_snapshot!(explained(&with(fleet, |status| {
        status.offerings = vec![closed(true, 130, "InsufficientInstanceCapacity"), closed(false, -5, "BootTimeout")];
    })));
}

#[test]
fn roll_outs() {
    let fares = |proven: bool, never_ready: i32| {
        with(decided(fleet(&[]), &inputs(20, 2)), |status| {
            status.workers.outdated = 2;
            let revision = "1-4f2a9c".to_owned();
            status.rollout = Some(RolloutStatus { revision, proven, never_ready, failed_at: Some(ago(100)), template_version: None });
        })
    };
    let all = [fares(true, 0), fares(false, 0), fares(false, 2)];
    let sentences: Vec<String> = all.iter().map(|fleet| Explanation::of(fleet, noon()).rollout.unwrap().sentence).collect();
    insta::assert_snapshot!(sentences.join("\n"));
    let done = with(fares(true, 0), |status| status.workers.outdated = 0);
    assert!(Explanation::of(&done, noon()).rollout.is_none());
}

#[test]
fn a_fleet_that_no_operator_has_seen() {
    insta::assert_snapshot!(explained(&fleet(&[])));
}

#[test]
fn a_spec_that_changed_since_is_told() {
    let mut changed = decided(fleet(&[]), &inputs(300, 2));
    changed.spec.workers.max = 4;
    changed.metadata.generation = Some(4);
    let explanation = Explanation::of(&changed, noon());
    assert!(explanation.holds());
    insta::assert_snapshot!(explained(&changed));
}

#[test]
fn other_reasons_to_differ() {
    let because = |fleet: &ClassifierFleet| Explanation::of(fleet, noon()).recomputed.unwrap().differs_because.join(" ");
    let wrong = with(decided(fleet(&[]), &inputs(30, 2)), |status| status.desired = 5);
    assert!(!Explanation::of(&wrong, noon()).holds());
    assert!(because(&wrong).contains("another version"), "{}", because(&wrong));
    let mut paused = decided(fleet(&[]), &inputs(30, 2));
    paused.metadata.annotations = Some([(crds::annotation::PAUSED_REPLICAS.to_owned(), "1".to_owned())].into());
    assert!(because(&paused).contains("may have been set since"), "{}", because(&paused));
    let mut resumed = decided(paused, &inputs(30, 2));
    resumed.metadata.annotations = None;
    assert!(because(&resumed).contains("may have been removed since"), "{}", because(&resumed));
}
