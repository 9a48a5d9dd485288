//! Where EC2 has no room, the next offering is tried at once, and what refused is left alone, then probed.

use std::sync::Arc;

use serde_json::json;

use crate::support::until;
use crate::world::{Call, Fleet, World};
use crate::{QUICK, QUICK_SECONDS, SLOW};

const A: &str = "subnet-0123456789abcdef0";
const B: &str = "subnet-0123456789abcdef1";
const C: &str = "subnet-0123456789abcdef2";
const NO_ROOM: &str = "InsufficientInstanceCapacity";
/// What `docs/ec2-errors.md` says of each code.
const CODES: &str = include_str!("../../../../docs/ec2-errors.md");

/// What was asked for and what became of it: type, subnet, how many, outcome.
fn asked(call: &Arc<Call>) -> (&str, &str, u32, &str) {
    let param = |name: &str| call.params.get(name).map_or("", String::as_str);
    (param("InstanceType"), param("SubnetId"), param("MaxCount").parse().unwrap(), &call.outcome)
}

async fn closed_metric(fleet: &Fleet<'_>, instance_type: &str, subnet: &str) -> f64 {
    let labels = [("instance_type", instance_type), ("subnet", subnet), ("capacity_type", "on-demand")];
    fleet.metric("classifierfleet_offering_closed", &labels).await
}

pub async fn the_next_one_is_tried_at_once(world: &World) {
    let limits = [(format!("m5.large@{A}"), 0), (format!("m5.large@{B}"), 1), (format!("m5.xlarge@{A}"), 0)];
    world.room(&limits.each_ref().map(|(offering, room)| (offering.as_str(), *room))).await;
    let workers = json!({"replicas": 3, "template": {"subnetIds": [A, B]}});
    let fleet = world.fleet(SLOW, "next", &["m5.large", "m5.xlarge"], workers).await;
    fleet.settles(3, 0).await;
    let calls = fleet.launches().await;
    let expected = [("m5.large", A, 3, NO_ROOM), ("m5.large", B, 3, "OK"), ("m5.xlarge", A, 2, NO_ROOM), ("m5.xlarge", B, 2, "OK")];
    assert_eq!(calls.iter().map(asked).collect::<Vec<_>>(), expected, "types before subnets; of three there was room for one");
    let status = fleet.status().await;
    let reasons: Vec<_> = status.offerings.iter().map(|offering| offering.reason.as_deref()).collect();
    assert_eq!(reasons, [Some(NO_ROOM), Some(NO_ROOM), Some(NO_ROOM), None]);
    let closed: Vec<_> = status.offerings.iter().map(|offering| offering.unavailable_until.is_some()).collect();
    assert_eq!(closed, [true, true, true, false]);
    let message = fleet.condition("AbleToScale", true, "EC2Answers").await;
    assert!(message.starts_with("3 of 4 offerings are closed"), "{message}");
    assert_eq!(closed_metric(&fleet, "m5.large", A).await, 1.0);
    assert_eq!(closed_metric(&fleet, "m5.xlarge", B).await, 0.0);
    let notes = fleet.events("OfferingClosed").await;
    assert!(notes.iter().any(|note| note.contains("m5.large") && note.contains("left alone for 180 s")), "{notes:?}");
}

pub async fn a_closed_one_is_probed_and_each_probe_doubles(world: &World) {
    world.room(&[("m5a.large", 0)]).await;
    let fleet = world.fleet(QUICK, "probed", &["m5a.large"], json!({"max": 7, "replicas": 7})).await;
    fleet.until("the offering is closed", |status| status.offerings.iter().any(|it| it.unavailable_until.is_some())).await;
    let message = fleet.condition("AbleToScale", false, "NoCapacity").await;
    assert!(message.contains(NO_ROOM), "{message}");
    until("the metric says so", async || closed_metric(&fleet, "m5a.large", "default").await > 0.0).await;
    world.room(&[("m5a.large", 100)]).await;
    fleet.settles(7, 0).await;
    let calls = fleet.launches().await;
    let counts = |succeeded: bool| -> Vec<u32> {
        calls.iter().map(asked).filter(|(.., outcome)| (*outcome == "OK") == succeeded).map(|(_, _, count, _)| count).collect()
    };
    assert_eq!(counts(true), [1, 2, 4]);
    let refused = counts(false);
    assert!(refused[0] == 7 && refused[1..].iter().all(|count| *count == 1), "{refused:?}");
    let offering = fleet.status().await.offerings[0].clone();
    assert_eq!((offering.unavailable_until, offering.probe), (None, Some(8)));
    assert_eq!(closed_metric(&fleet, "m5a.large", "default").await, 0.0);
}

pub async fn a_storm_does_not_loop(world: &World) {
    world.room(&[("c5.large", 0), ("c5.xlarge", 0)]).await;
    let fleet = world.fleet(QUICK, "storm", &["c5.large", "c5.xlarge"], json!({"replicas": 5})).await;
    let of_type = |calls: &[Arc<Call>], instance_type: &str| -> Vec<Arc<Call>> {
        calls.iter().filter(|call| asked(call).0 == instance_type).cloned().collect()
    };
    until("each offering was tried some times", async || {
        let calls = fleet.launches().await;
        ["c5.large", "c5.xlarge"].iter().all(|kind| of_type(&calls, kind).len() >= 4)
    })
    .await;
    let calls = fleet.launches().await;
    for kind in ["c5.large", "c5.xlarge"] {
        let calls = of_type(&calls, kind);
        let seconds = calls[calls.len() - 1].at.duration_since(calls[0].at).as_secs_f64();
        // From a reconcile's begin to its launch some time may pass: half of the pause is proof enough, a loop takes no time at all.
        let most = seconds / (QUICK_SECONDS / 2.0) + 1.0;
        let number = u32::try_from(calls.len()).unwrap();
        assert!(f64::from(number) <= most, "{number} launches of {kind} in {seconds} s");
    }
    world.room(&[("c5.xlarge", 100)]).await;
    fleet.settles(5, 0).await;
    assert!(fleet.live().await.iter().all(|instance| instance.instance_type == "c5.xlarge"));
}

/// Codes that blame the offering, in the order of the page.
fn capacity_codes() -> Vec<&'static str> {
    let rows = CODES.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | offering |"));
    rows.map(|(code, _)| code).collect()
}

pub async fn every_capacity_code_closes(world: &World) {
    let codes = capacity_codes();
    // As many as there can be different ones of with three subnets.
    let types = ["large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "metal"];
    let types = types.map(|size| format!("c6i.{size}"));
    let offerings: Vec<(&str, &str)> = types.iter().flat_map(|kind| [A, B, C].map(|subnet| (kind.as_str(), subnet))).collect();
    let types = &types[..codes.len() / 3 + 1];
    for (code, (kind, subnet)) in codes.iter().zip(&offerings) {
        let only = json!({"InstanceType": kind, "SubnetId": subnet});
        let fault = json!({"action": "RunInstances", "code": code, "times": null, "match": only});
        world.order(reqwest::Method::POST, "faults", fault).await;
    }
    let workers = json!({"replicas": 1, "template": {"subnetIds": [A, B, C]}});
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    let fleet = world.fleet(SLOW, "codes", &types, workers).await;
    fleet.settles(1, 0).await;
    let calls = fleet.launches().await;
    let answers: Vec<&str> = calls.iter().map(|call| asked(call).3).collect();
    let expected: Vec<&str> = codes.iter().copied().chain(["OK"]).collect();
    assert_eq!(answers, expected, "each code leads to the next offering");
    let status = fleet.status().await;
    let reasons: Vec<&str> = status.offerings.iter().filter_map(|offering| offering.reason.as_deref()).collect();
    assert_eq!(reasons, codes);
    for code in ["SpotMaxPriceTooLow", "MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", "UnfulfillableCapacity", "Unsupported"] {
        assert!(codes.contains(&code), "{code}");
    }
}
