//! How workers are replaced when what they are made from changes, watched all along.

use std::time::Duration;

use serde_json::json;

use crate::support::until;
use crate::world::{Fleet, Instance, World, ids};
use crate::{BROKEN_IMAGE, NEXT_IMAGE, QUICK};

/// Between two looks at the instances.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks on while `what` happens. Fewer serve, or more live, than may: that ends the scenario.
async fn watched<T>(fleet: &Fleet<'_>, least_serving: usize, most_live: usize, what: impl Future<Output = T>) -> T {
    let watch = async {
        loop {
            let instances = fleet.instances().await;
            let serving = instances.iter().filter(|instance| instance.serves()).count();
            let live = instances.iter().filter(|instance| instance.is_live()).count();
            assert!(serving >= least_serving, "{}: {serving} of {least_serving} serve: {instances:?}", fleet.name);
            assert!(live <= most_live, "{}: {live} live where {most_live} may: {instances:?}", fleet.name);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        never = watch => never,
        result = what => result,
    }
}

async fn roll(world: &World, name: &'static str, max_surge: usize, max_unavailable: usize) {
    const WORKERS: usize = 3;
    let update = json!({"maxSurge": max_surge, "maxUnavailable": max_unavailable});
    let fleet = world.fleet(QUICK, name, &["t3.micro"], json!({"max": WORKERS, "replicas": WORKERS, "update": update})).await;
    fleet.settles(3, 0).await;
    let old = fleet.live().await;
    let replacement = async {
        fleet.patch(json!({"template": {"keyName": "another"}})).await;
        fleet.until("the new revision is rolled out", |status| status.workers.outdated == 0 && status.workers.ready == 3).await;
        fleet.settles(3, 0).await;
    };
    watched(&fleet, WORKERS - max_unavailable, WORKERS + max_surge, replacement).await;
    let revision = fleet.status().await.revision;
    let (gone, new): (Vec<Instance>, Vec<Instance>) = fleet.instances().await.into_iter().partition(|it| !it.is_live());
    assert!(new.iter().all(|instance| instance.tag("classifierfleet:revision") == revision.as_deref()));
    assert_eq!((new.len(), ids(&gone)), (WORKERS, ids(&old)));
    assert!(fleet.calls("TerminateInstances").await.is_empty(), "none was ended while it could finish its work");
}

pub async fn one_more_and_one_fewer(world: &World) {
    roll(world, "roll-both", 1, 1).await;
}

pub async fn none_fewer(world: &World) {
    roll(world, "roll-surge", 2, 0).await;
}

pub async fn none_more(world: &World) {
    roll(world, "roll-fewer", 0, 2).await;
}

pub async fn a_bad_revision_replaces_nothing(world: &World) {
    let workers = json!({"max": 2, "replicas": 2, "bootTimeoutSeconds": 5});
    let fleet = world.fleet(QUICK, "bad", &["t3.nano"], workers).await;
    fleet.settles(2, 0).await;
    let old = fleet.live().await;
    let attempt = async {
        fleet.patch(json!({"template": {"imageId": BROKEN_IMAGE}})).await;
        let message = fleet.condition("Degraded", true, "WorkersNeverReady").await;
        assert!(message.starts_with("2 workers of this revision in a row did not register in time"), "{message}");
    };
    watched(&fleet, 2, 3, attempt).await;
    assert_eq!((fleet.removed("boot_timeout").await, fleet.removed("drain").await), (2.0, 0.0));
    let all = fleet.instances().await;
    assert_eq!(all.iter().filter(|instance| instance.image_id == BROKEN_IMAGE).count(), 2, "one after the other, and no third");
    let rollout = fleet.status().await.rollout.unwrap();
    assert_eq!((rollout.proven, rollout.never_ready), (false, 2));

    let repair = async {
        fleet.patch(json!({"template": {"imageId": NEXT_IMAGE}})).await;
        fleet.until("the good revision is rolled out", |status| status.workers.outdated == 0 && status.workers.ready == 2).await;
    };
    watched(&fleet, 1, 3, repair).await;
    fleet.condition("Degraded", false, "AsExpected").await;
    fleet.settles(2, 0).await;
    assert!(fleet.status().await.rollout.unwrap().proven);
    until("the old ones are gone", async || fleet.live().await.iter().all(|instance| instance.image_id == NEXT_IMAGE)).await;
    assert!(fleet.instances().await.iter().all(|instance| !instance.is_live() || !ids(&old).contains(&instance.id)));
}
