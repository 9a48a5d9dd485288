//! Workers that do not do what they should, and instances that should not be.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::json;

use crate::support::until;
use crate::world::{Fleet, Instance, World};
use crate::{BROKEN_IMAGE, IMAGE, QUICK, SLOW};

/// Those that the operator terminated.
async fn terminated(fleet: &Fleet<'_>) -> Vec<Instance> {
    let by_call = |instance: &Instance| instance.state_reason.as_deref() == Some("Client.UserInitiatedShutdown");
    fleet.instances().await.into_iter().filter(by_call).collect()
}

pub async fn a_worker_that_never_registers(world: &World) {
    let workers = json!({"replicas": 1, "bootTimeoutSeconds": 5, "template": {"imageId": BROKEN_IMAGE}});
    let fleet = world.fleet(QUICK, "mute", &["m4.large"], workers).await;
    until("it is terminated", async || !terminated(&fleet).await.is_empty()).await;
    let mute = terminated(&fleet).await.remove(0);
    let end = fleet.calls("TerminateInstances").await[0].clone();
    assert_eq!(end.instance_ids, std::slice::from_ref(&mute.id));
    assert!(end.at.duration_since(mute.launch_time) >= SignedDuration::from_secs(5), "it had its time");
    assert_eq!(mute.tags.get("classifierfleet:intent").map(String::as_str), Some("drain"), "it was told to leave first");
    fleet
        .until("it counts against its offering", |status| {
            status.offerings[0].reason.as_deref() == Some("BootTimeout") && status.rollout.as_ref().is_some_and(|it| it.never_ready > 0)
        })
        .await;
    until("it is counted", async || fleet.removed("boot_timeout").await > 0.0).await;
    let notes = fleet.events("Terminated").await;
    assert!(notes.iter().any(|note| note.contains(&mute.id) && note.contains("workers.bootTimeoutSeconds")), "{notes:?}");
    until("another one is tried", async || fleet.instances().await.len() > 1).await;
    fleet.condition("Degraded", true, "WorkersNeverReady").await;
}

/// As a worker says it of itself, whole seconds after it became ready.
async fn restarted(fleet: &Fleet<'_>, id: &str, count: u32) {
    let at = Timestamp::now().round(Unit::Second).unwrap() + SignedDuration::from_secs(2);
    let said = json!({"at": at, "count": count}).to_string();
    let tag = [("ResourceId.1", id), ("Tag.1.Key", "classifierfleet:restarted"), ("Tag.1.Value", &said)];
    let call = [("Action", "CreateTags"), ("Version", "2016-11-15")].into_iter().chain(tag);
    fleet.world.call(&call.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>()).await;
}

pub async fn a_worker_that_crashes_again_and_again(world: &World) {
    let fleet = world.fleet(QUICK, "crashing", &["m5.large"], json!({"replicas": 1, "bootTimeoutSeconds": 20})).await;
    fleet.settles(1, 0).await;
    let worker = fleet.live().await.remove(0);
    restarted(&fleet, &worker.id, 1).await;
    fleet.until("it does not count as ready any more", |status| status.workers.ready == 0).await;
    until("people are told", async || fleet.events("WorkerRestarted").await.iter().any(|note| note.contains(&worker.id))).await;
    assert!(terminated(&fleet).await.is_empty(), "it gets time to become ready again");
    restarted(&fleet, &worker.id, 5).await;
    let told = || async { fleet.events("BootTimeout").await.iter().any(|note| note.contains(&worker.id)) };
    until("it is given up", told).await;
    until("it leaves", async || fleet.live().await.iter().all(|live| live.id != worker.id)).await;
    fleet.settles(1, 0).await;
    assert_ne!(fleet.live().await[0].id, worker.id, "another one does its work");
    assert!(fleet.metric("classifierfleet_restarted_workers_total", &[]).await >= 2.0);
}

pub async fn a_worker_that_ignores_its_order(world: &World) {
    // The metadata service of older types shows tags as they were at the start: this worker never sees that it shall drain.
    let workers = json!({"replicas": 1, "drainTimeoutSeconds": 4});
    let fleet = world.fleet(SLOW, "deaf", &["t2.small"], workers).await;
    fleet.settles(1, 0).await;
    fleet.scale(0).await;
    until("it is terminated", async || !terminated(&fleet).await.is_empty()).await;
    let tags = fleet.calls("CreateTags").await;
    let order = tags.iter().find(|call| call.params.values().any(|value| value == "drain")).unwrap();
    let end = fleet.calls("TerminateInstances").await[0].clone();
    let had = end.at.duration_since(order.at);
    assert!(had >= SignedDuration::from_secs(4), "it had {had} to finish");
    until("it is counted", async || fleet.removed("drain_deadline").await > 0.0).await;
    let notes = fleet.events("Terminated").await;
    assert!(notes.iter().any(|note| note.contains("workers.drainTimeoutSeconds")), "{notes:?}");
    fleet.settles(0, 0).await;
}

/// A launch with the tags of `model`, as a script may make it that nobody thought of.
fn copies(model: &Instance, count: u32) -> Vec<(String, String)> {
    let own = ["classifierfleet:ready", "classifierfleet:intent", "classifierfleet:intent-at"];
    let tags = model.tags.iter().filter(|(key, _)| !key.starts_with("aws:") && !own.contains(&key.as_str()));
    let tags = tags.enumerate().flat_map(|(n, (key, value))| {
        let part = |part: &str, value: &String| (format!("TagSpecification.1.Tag.{}.{part}", n + 1), value.clone());
        [part("Key", key), part("Value", value)]
    });
    let count = count.to_string();
    let launch = [
        ("Action", "RunInstances"),
        ("Version", "2016-11-15"),
        ("ImageId", IMAGE),
        ("InstanceType", &model.instance_type),
        ("MinCount", &count),
        ("MaxCount", &count),
        ("InstanceInitiatedShutdownBehavior", "terminate"),
        ("MetadataOptions.HttpTokens", "required"),
        ("MetadataOptions.InstanceMetadataTags", "enabled"),
        ("TagSpecification.1.ResourceType", "instance"),
    ];
    launch.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(tags).collect()
}

pub async fn instances_that_nobody_asked_for(world: &World) {
    let fleet = world.fleet(SLOW, "runaway", &["m7i.large"], json!({"max": 1, "replicas": 1})).await;
    fleet.settles(1, 0).await;
    let own = fleet.live().await.remove(0);
    world.call(&copies(&own, 3)).await;
    let message = fleet.condition("Degraded", true, "TooManyInstances").await;
    assert!(message.starts_with("4 instances live, more than the 2"), "{message}");
    fleet.condition("Degraded", false, "AsExpected").await;
    fleet.settles(1, 0).await;
    assert_eq!(fleet.live().await[0].id, own.id, "the surplus went, not the one that works");
    assert!(terminated(&fleet).await.is_empty(), "and was let finish");
    // As long as a few looks at the queue take: nothing is launched in their place.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((fleet.launches().await.len(), fleet.live().await.len()), (1, 1));
}
