//! The annotations that hold the number, as KEDA's users know them.

use crds::ClassifierFleet;
use serde_json::json;

use super::fleet::{Fleet, at_once, condition, desired, limit, steps};
use super::stage::Stage;

const PAUSED: &str = "classifierfleet.dev/paused";
const REPLICAS: &str = "classifierfleet.dev/paused-replicas";
const SCALE_IN: &str = "classifierfleet.dev/paused-scale-in";
const SCALE_OUT: &str = "classifierfleet.dev/paused-scale-out";

/// With two messages and two workers wanted.
async fn with_two<'a>(stage: &'a Stage, name: &'static str) -> Fleet<'a> {
    let fleet = stage.fleet(name).await;
    fleet.queue.send(2).await;
    fleet.apply(json!({"max": 10}), at_once()).await;
    fleet.wants(2).await;
    fleet
}

/// The annotation holds so many, though so many messages are seen.
async fn is_held(fleet: &Fleet<'_>, annotation: &str, workers: i32, messages: i64) {
    let seen = fleet.until(&format!("{annotation} holds {workers}"), |fleet| steps(fleet).contains(&holds(annotation, workers))).await;
    assert_eq!(condition(&seen, "ScalingActive"), "False Paused");
    let seen = fleet.has_decided_on(messages).await;
    assert!(steps(&seen).contains(&holds(annotation, workers)), "{}", steps(&seen));
    assert_eq!((desired(&seen), limit(&seen)), (workers, Some("annotation")));
    assert_eq!(condition(&seen, "ScalingLimited"), "True Paused");
}

fn holds(annotation: &str, workers: i32) -> String {
    format!("The annotation {annotation} holds {workers} workers.")
}

fn is_free(fleet: &ClassifierFleet) -> bool {
    condition(fleet, "ScalingActive") == "True FollowsQueue"
}

pub async fn paused_holds_the_number(stage: &Stage) {
    let fleet = with_two(stage, "paused").await;
    // A value that is no boolean counts as true.
    for (value, messages) in [("true", 3), ("until Monday", 4)] {
        fleet.annotate(PAUSED, Some(value)).await;
        fleet.queue.send(1).await;
        is_held(&fleet, PAUSED, 2, messages).await;
    }
    fleet.annotate(PAUSED, Some("false")).await;
    assert!(is_free(&*fleet.wants(4).await));
    fleet.annotate(PAUSED, Some("")).await;
    fleet.queue.take(4).await;
    is_held(&fleet, PAUSED, 4, 0).await;
    fleet.annotate(PAUSED, None).await;
    assert!(is_free(&*fleet.wants(0).await));
}

pub async fn paused_replicas_is_the_number(stage: &Stage) {
    let fleet = with_two(stage, "paused-replicas").await;
    fleet.annotate(REPLICAS, Some("3")).await;
    is_held(&fleet, REPLICAS, 3, 2).await;
    fleet.has_running(3).await;
    fleet.annotate(REPLICAS, Some("0")).await;
    is_held(&fleet, REPLICAS, 0, 2).await;
    // What a fleet may cost is not paused.
    fleet.annotate(REPLICAS, Some("11")).await;
    is_held(&fleet, REPLICAS, 10, 2).await;
    // A number that is none pauses.
    fleet.annotate(REPLICAS, Some("many")).await;
    is_held(&fleet, PAUSED, 10, 2).await;
    fleet.annotate(REPLICAS, None).await;
    assert!(is_free(&*fleet.wants(2).await));
}

pub async fn one_direction_can_be_paused(stage: &Stage) {
    let fleet = with_two(stage, "paused-one-way").await;
    fleet.annotate(SCALE_IN, Some("true")).await;
    fleet.queue.send(1).await;
    fleet.wants(3).await;
    fleet.queue.take(3).await;
    is_held(&fleet, SCALE_IN, 3, 0).await;
    fleet.annotate(SCALE_IN, Some("false")).await;
    assert!(is_free(&*fleet.wants(0).await));
    // The first worker too.
    fleet.annotate(SCALE_OUT, Some("yes")).await;
    fleet.queue.send(2).await;
    is_held(&fleet, SCALE_OUT, 0, 2).await;
    fleet.annotate(SCALE_OUT, None).await;
    fleet.wants(2).await;
}
