//! Tells Prometheus where workers are: its HTTP service discovery, from the inventory of instances.
//! Every operator answers, also one that waits to lead: whoever asks does not know which one does.

use std::sync::{Arc, OnceLock};

use ec2::{Instance, InstanceState, tags};
use serde::Serialize;

use crate::context::Operator;
use crate::metrics::capacity_type;
use crate::observe::instances::registered;

/// Where it is asked for.
pub const PATH: &str = "/sd/workers";

/// Port on an instance's private address where its worker serves /metrics.
pub const WORKER_MONITOR_PORT: u16 = 9090;

/// One instance, as Prometheus takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Target {
    targets: [String; 1],
    labels: Labels,
}

/// What its metrics are labelled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Labels {
    namespace: String,
    fleet: String,
    revision: String,
    instance_id: String,
    instance_type: String,
    capacity_type: &'static str,
    zone: String,
}

/// The workers of all fleets that `operator` sees, as JSON; the error says why nobody knows yet, and Prometheus keeps what it had.
pub async fn workers(operator: &OnceLock<Arc<Operator>>) -> Result<String, String> {
    let operator = operator.get().ok_or("the operator starts; ask again")?;
    // A cloud is watched from the first time that somebody asks for it; in operators that lead that is long ago.
    for fleet in operator.fleets.state() {
        operator.clouds.of(&fleet).await.ok();
    }
    let clouds = operator.clouds.all().await;
    let listed: Vec<_> = clouds.iter().filter_map(|cloud| cloud.inventory.latest()).collect();
    if listed.is_empty() && !clouds.is_empty() {
        return Err("EC2's instances were not listed yet; ask again".to_owned());
    }
    let instances = listed.iter().flat_map(|snapshot| snapshot.by_fleet.values().flatten());
    let mut found: Vec<Target> = instances.filter_map(target).collect();
    found.retain(|target| operator.scope.covers(&target.labels.namespace));
    found.sort_by(|one, other| one.targets.cmp(&other.targets));
    serde_json::to_string(&found).map_err(|error| error.to_string())
}

/// The worker on `instance`, once it is ready: before, and when it is stopped, nothing listens there. Pure.
#[must_use]
pub fn target(instance: &Instance) -> Option<Target> {
    if instance.state != InstanceState::Running {
        return None;
    }
    registered(instance)?;
    let tag = |key: &str| instance.tag(key).unwrap_or_default().to_owned();
    let labels = Labels {
        namespace: tag(tags::NAMESPACE),
        fleet: tag(tags::FLEET),
        revision: tag(tags::REVISION),
        instance_id: instance.id.clone(),
        instance_type: instance.instance_type.clone(),
        capacity_type: capacity_type(instance.spot),
        zone: instance.zone.clone().unwrap_or_default(),
    };
    Some(Target { targets: [format!("{}:{WORKER_MONITOR_PORT}", instance.private_ip.as_deref()?)], labels })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_ready_worker_is_a_target_with_labels_and_others_are_none() {
        let tag = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let ready = (tags::READY, r#"{"at":"1970-01-01T00:00:30Z","imagesPerSecond":4.5,"model":"m@1"}"#);
        let instance = Instance {
            id: "i-1".to_owned(),
            state: InstanceState::Running,
            launched_at: Timestamp::UNIX_EPOCH,
            instance_type: "t3.small".to_owned(),
            subnet_id: None,
            zone: Some("us-east-1a".to_owned()),
            private_ip: Some("10.0.0.7".to_owned()),
            spot: true,
            state_reason: None,
            tags: [(tags::NAMESPACE, "default"), (tags::FLEET, "imagenet"), (tags::REVISION, "r1"), ready].map(tag).to_vec(),
        };
        let labels = json!({
            "namespace": "default", "fleet": "imagenet", "revision": "r1", "instance_id": "i-1", "instance_type": "t3.small",
            "capacity_type": "spot", "zone": "us-east-1a",
        });
        assert_eq!(json!(target(&instance)), json!({"targets": ["10.0.0.7:9090"], "labels": labels}));
        let booting = Instance { tags: instance.tags[..3].to_vec(), ..instance.clone() };
        let stopped = Instance { state: InstanceState::Stopped, ..instance.clone() };
        let nowhere = Instance { private_ip: None, ..instance };
        assert_eq!([booting, stopped, nowhere].map(|instance| target(&instance)), [None, None, None]);
    }
}
