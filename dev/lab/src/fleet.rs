//! The fleet of a run, its gateway's Lease, and the world around them, as a script has them.

use crds::ClassifierFleet;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sim::distribution::Distribution;
use sim::gateway::Said;
use sim::queue;
use sim::world::{IMAGE, Settings, WorkerSettings};
use std::time::Duration;

use crate::kubernetes::Cluster;
use crate::kubernetes::store::{Key, Part};
use crate::script::{FleetSettings, Script};

/// Name of the fleet.
pub const NAME: &str = "photos";
/// Its namespace.
pub const NAMESPACE: &str = "shop";
/// Its request queue.
pub const REQUESTS: &str = "photos-requests";
/// Types that it may use.
pub const TYPES: [&str; 2] = ["t3.small", "t3a.small"];
/// A job is given up after so many receives. Deaths of workers cost one each.
const MAX_RECEIVES: u32 = 10;

/// Where the fleet is.
#[must_use]
pub fn key() -> Key {
    key_of("apis/classifierfleet.dev/v1alpha1/classifierfleets", NAME)
}

fn key_of(resource: &str, name: &str) -> Key {
    Key { resource: resource.to_owned(), namespace: NAMESPACE.to_owned(), name: name.to_owned() }
}

/// Applies the fleet, with the defaults that an API server would fill in.
///
/// # Errors
/// When the fleet is none.
pub fn apply(cluster: &Cluster, settings: &FleetSettings) -> anyhow::Result<()> {
    let fleet: ClassifierFleet = serde_json::from_value(manifest(settings))?;
    let body = serde_json::to_value(fleet)?;
    cluster.with(|store, now| store.create(key(), body, now)).map_err(|refusal| anyhow::anyhow!("the fleet is refused: {refusal:?}"))?;
    Ok(())
}

fn manifest(settings: &FleetSettings) -> Value {
    let FleetSettings { min, max, messages_per_worker, warm, spot, surge, drain_timeout, window, types, sample_seconds: _ } = settings;
    let target = if *messages_per_worker == 0 { json!({"drainSeconds": 60}) } else { json!({"messagesPerWorker": messages_per_worker}) };
    json!({
        "apiVersion": "classifierfleet.dev/v1alpha1",
        "kind": "ClassifierFleet",
        "metadata": {"name": NAME},
        "spec": {
            "region": "us-east-1",
            "queues": {
                "request": {"name": REQUESTS}, "response": {"name": "photos-responses"},
                "visibilityTimeoutSeconds": 30, "maxReceives": MAX_RECEIVES,
            },
            "storage": {"inputBucket": "photos-in", "outputBucket": "photos-out"},
            "model": {"uri": "s3://models/efficientnet-lite0"},
            "workers": {
                "min": min, "max": max,
                "template": {"imageId": IMAGE, "instanceTypes": TYPES[..*types], "capacity": {"spot": spot}, "instanceProfile": "worker"},
                "warmPool": {"max": warm, "idleSeconds": 120},
                "bootTimeoutSeconds": 180, "drainTimeoutSeconds": drain_timeout,
                "update": {"maxUnavailable": 1, "maxSurge": surge},
            },
            "scaling": {"target": target, "behavior": {"scaleDown": {"stabilizationWindowSeconds": window}}},
        },
    })
}

/// Edits the fleet.
pub fn edit(cluster: &Cluster, max: u32, volume: u32) {
    let patch = json!({"spec": {"workers": {"max": max, "template": {"volumeGiB": volume}}}});
    cluster.with(|store, now| {
        // One that is gone is not edited.
        let _ = store.patch(&key(), &patch, Part::Main, false, now);
    });
}

/// Renews the gateway's Lease, if the operator has made it.
pub fn renew_lease(cluster: &Cluster, said: Said) {
    let key = key_of("apis/coordination.k8s.io/v1/leases", "photos-gateway-0");
    let oldest = said.oldest.map(|at| at.to_string()).unwrap_or_default();
    cluster.with(|store, now| {
        let lease = json!({
            "metadata": {"annotations": {"classifierfleet.dev/waiting": said.waiting.to_string(), "classifierfleet.dev/oldest": oldest}},
            "spec": {"leaseDurationSeconds": 15, "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()},
        });
        // A gateway's pod that finds no Lease waits for one.
        let _ = store.patch(&key, &lease, Part::Main, false, now);
    });
}

/// The world of a run. Publishing takes long and machines end quickly, so that deaths hit in between.
#[must_use]
pub fn world(script: &Script) -> Settings {
    let mut settings = Settings { seed: script.seed, ..Settings::default() };
    settings.cloud.describe_lag = SignedDuration::from_secs(i64::from(script.describe_lag));
    settings.cloud.throttle = true;
    settings.requests = queue::Settings {
        visibility: SignedDuration::from_secs(30),
        max_receives: Some(MAX_RECEIVES),
        counter_lag: SignedDuration::from_secs(i64::from(script.describe_lag)),
        ..queue::Settings::default()
    };
    settings.worker = WorkerSettings {
        boot_cold: Distribution::LogNormal { median: 25.0, p99: 70.0 },
        boot_warm: Distribution::LogNormal { median: 12.0, p99: 40.0 },
        service: Distribution::Exponential(3.0),
        publish: Duration::from_secs(1),
        shutdown_grace: Duration::from_millis(200),
        ..WorkerSettings::default()
    };
    settings
}
