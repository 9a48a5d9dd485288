//! The warm pool: stopped workers that start sooner than new ones are launched.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::until;
use crate::world::{Call, Fleet, Instance, World, ids};
use crate::{QUICK, SLOW};

async fn in_state(fleet: &Fleet<'_>, state: &str) -> Vec<Instance> {
    fleet.instances().await.into_iter().filter(|instance| instance.state == state).collect()
}

/// The instances that calls name.
fn named(calls: &[std::sync::Arc<Call>]) -> BTreeSet<String> {
    calls.iter().flat_map(|call| &call.instance_ids).cloned().collect()
}

pub async fn workers_stop_and_start_again(world: &World) {
    let workers = json!({"replicas": 3, "warmPool": {"max": 2, "idleSeconds": 3600}});
    let fleet = world.fleet(QUICK, "warm", &["t3.small"], workers).await;
    fleet.settles(3, 0).await;
    let first = fleet.live().await;
    fleet.scale(0).await;
    fleet.settles(0, 2).await;
    until("the third was terminated", async || in_state(&fleet, "terminated").await.len() == 1).await;
    assert_eq!((fleet.removed("drain").await, fleet.removed("pool_full").await), (3.0, 1.0));
    let stopped = in_state(&fleet, "stopped").await;
    assert!(stopped.iter().all(|instance| instance.state_reason.as_deref() == Some("Client.InstanceInitiatedShutdown")));

    fleet.scale(3).await;
    fleet.settles(3, 0).await;
    let starts = fleet.calls("StartInstances").await;
    assert_eq!(named(&starts), ids(&stopped).into_iter().collect());
    let launches = fleet.launches().await;
    let [_, second] = launches.as_slice() else { panic!("{launches:?}") };
    assert_eq!(second.params["MaxCount"], "1", "what the pool lacks is launched");
    assert!(starts[0].at <= second.at, "a start comes before a launch");
    assert_eq!(fleet.instances().await.len(), first.len() + 1);
    assert!(fleet.status().await.boot_seconds.is_some_and(|seconds| seconds.warm.is_some()), "how long a start takes is learned");

    fleet.scale(0).await;
    fleet.settles(0, 2).await;
    fleet.patch(json!({"warmPool": {"idleSeconds": 1}})).await;
    fleet.settles(0, 0).await;
    assert_eq!((fleet.removed("pool_full").await, fleet.removed("pool_idle").await), (2.0, 2.0));
    assert_eq!(in_state(&fleet, "terminated").await.len(), 4);
}

pub async fn another_revision_is_not_started(world: &World) {
    let fleet = world.fleet(QUICK, "stale", &["t3.medium"], json!({"replicas": 1, "warmPool": {"max": 1}})).await;
    fleet.settles(1, 0).await;
    fleet.scale(0).await;
    fleet.settles(0, 1).await;
    let stopped = in_state(&fleet, "stopped").await;
    fleet.patch(json!({"replicas": 1, "template": {"keyName": "another"}})).await;
    fleet.settles(1, 0).await;
    until("the old one is gone", async || ids(&in_state(&fleet, "terminated").await) == ids(&stopped)).await;
    assert_eq!(fleet.removed("not_reusable").await, 1.0);
    assert!(fleet.calls("StartInstances").await.is_empty());
    let live = fleet.live().await;
    assert_eq!(live[0].tag("classifierfleet:revision").map(str::to_owned), fleet.status().await.revision);
}

pub async fn workers_are_prepared_before_there_is_work(world: &World) {
    let workers = json!({"max": 3, "replicas": 0, "warmPool": {"max": 2, "prepared": 2, "idleSeconds": 0}});
    let fleet = world.fleet(QUICK, "prepared", &["t3.large"], workers).await;
    fleet.settles(0, 2).await;
    let prepared = fleet.instances().await;
    assert_eq!((prepared.len(), fleet.status().await.desired), (2, 0), "made though nobody asked for workers");
    fleet.scale(1).await;
    fleet.settles(1, 2).await;
    let started = named(&fleet.calls("StartInstances").await);
    assert!(started.len() == 1 && ids(&prepared).contains(started.first().unwrap()), "{started:?} of {prepared:?}");
    assert_eq!(fleet.live().await[0].id, *started.first().unwrap());
    assert_eq!(fleet.instances().await.len(), 3, "and a third took its place in the pool");
    assert_eq!(fleet.removed("pool_idle").await, 0.0, "idleSeconds do not count for them");
}

pub async fn a_start_without_room_falls_to_a_launch(world: &World) {
    let workers = json!({"replicas": 1, "warmPool": {"max": 1}});
    let fleet = world.fleet(SLOW, "crowded", &["t3a.small", "t3a.medium"], workers).await;
    fleet.settles(1, 0).await;
    fleet.scale(0).await;
    fleet.settles(0, 1).await;
    world.room(&[("t3a.small", 0)]).await;
    fleet.scale(1).await;
    fleet.settles(1, 1).await;
    let starts = fleet.calls("StartInstances").await;
    assert_eq!(starts.iter().map(|call| call.outcome.as_str()).collect::<Vec<_>>(), ["InsufficientInstanceCapacity"]);
    assert_eq!(fleet.live().await[0].instance_type, "t3a.medium");
    let closed = fleet.status().await.offerings[0].clone();
    assert_eq!((closed.offering.instance_type.as_str(), closed.reason.as_deref()), ("t3a.small", Some("InsufficientInstanceCapacity")));
}
