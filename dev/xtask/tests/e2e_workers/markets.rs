//! Spot and on-demand.

use reqwest::Method;
use serde_json::json;

use crate::support::until;
use crate::world::{Instance, World, ids};
use crate::{QUICK, SLOW};

/// How many are on-demand, and how many spot.
fn markets(instances: &[Instance]) -> (usize, usize) {
    let spot = instances.iter().filter(|instance| instance.is_spot()).count();
    (instances.len() - spot, spot)
}

pub async fn spot_with_a_base_and_a_way_back_to_on_demand(world: &World) {
    let workers = json!({"replicas": 3, "template": {"capacity": {"spot": true, "onDemandBase": 1}}});
    let fleet = world.fleet(SLOW, "spot", &["r5.large"], workers).await;
    fleet.settles(3, 0).await;
    assert_eq!(markets(&fleet.live().await), (1, 2), "the first is on-demand");
    world.room(&[("spot:r5.large", 2)]).await;
    fleet.scale(5).await;
    fleet.settles(5, 0).await;
    assert_eq!(markets(&fleet.live().await), (3, 2), "where spot has no room, on-demand has");
    let [spot, on_demand] = fleet.status().await.offerings.try_into().unwrap();
    assert!(spot.offering.spot && spot.reason.as_deref() == Some("InsufficientInstanceCapacity") && spot.unavailable_until.is_some());
    assert!(!on_demand.offering.spot && on_demand.reason.is_none());
    let calls = fleet.launches().await;
    let last = &calls[calls.len() - 1];
    assert_eq!((last.params["MaxCount"].as_str(), last.params.get("InstanceMarketOptions.MarketType")), ("2", None));
}

pub async fn an_interrupted_worker_is_replaced(world: &World) {
    let workers = json!({"replicas": 2, "template": {"capacity": {"spot": true}}});
    let fleet = world.fleet(QUICK, "interrupted", &["r5.xlarge"], workers).await;
    fleet.settles(2, 0).await;
    let before = fleet.live().await;
    assert_eq!(markets(&before), (0, 2));
    let victim = &before[0].id;
    world.order(Method::POST, &format!("instances/{victim}/interrupt"), json!({"notice_seconds": 1})).await;
    until("EC2 takes the instance", async || fleet.live().await.iter().all(|instance| instance.id != *victim)).await;
    until("another one serves", async || fleet.live().await.iter().filter(|instance| instance.serves()).count() == 2).await;
    fleet.settles(2, 0).await;
    let all = fleet.instances().await;
    let taken = all.iter().find(|instance| instance.id == *victim).unwrap();
    assert_eq!(taken.state_reason.as_deref(), Some("Server.SpotInstanceTermination"));
    assert_eq!((all.len(), markets(&fleet.live().await)), (3, (0, 2)), "one for one, spot for spot");
}

pub async fn spot_workers_are_never_kept(world: &World) {
    let template = json!({"capacity": {"spot": true, "onDemandBase": 1}});
    let workers = json!({"replicas": 3, "warmPool": {"max": 5}, "template": template});
    let fleet = world.fleet(SLOW, "spot-pool", &["r5a.large"], workers).await;
    fleet.settles(3, 0).await;
    let (spot, on_demand): (Vec<Instance>, Vec<Instance>) = fleet.live().await.into_iter().partition(Instance::is_spot);
    assert_eq!((spot.len(), on_demand.len()), (2, 1));
    fleet.scale(0).await;
    fleet.settles(0, 1).await;
    let in_state = |all: &[Instance], state: &str| ids(&all.iter().filter(|it| it.state == state).cloned().collect::<Vec<_>>());
    until("the spot workers are gone", async || in_state(&fleet.instances().await, "terminated") == ids(&spot)).await;
    assert_eq!(in_state(&fleet.instances().await, "stopped"), ids(&on_demand));
    assert!(fleet.calls("TerminateInstances").await.is_empty(), "they left by themselves");
}
