//! What the Lease looks like. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};

use crate::settings::Settings;
use crate::waiting::Tally;

/// Who writes the Lease, for server-side apply and in its labels.
pub(super) const MANAGER: &str = "classifierfleet-gateway";
/// Annotation: number of images that wait in this replica.
const WAITING: &str = "classifierfleet.dev/waiting";
/// Annotation: when the oldest of them was accepted, RFC 3339.
const OLDEST: &str = "classifierfleet.dev/oldest";
/// For how long, in seconds, what the Lease says holds: a replica that died is believed no longer.
const HOLDS_SECONDS: i32 = 15;

/// The Lease of this replica.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) namespace: String,
    fleet: String,
    holder: Option<String>,
    owner: Option<OwnerReference>,
}

impl Identity {
    /// None when no Lease is wished.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        let name = settings.wake_lease.clone().filter(|name| !name.is_empty())?;
        Some(Self {
            name,
            namespace: settings.namespace.clone(),
            fleet: settings.fleet.clone(),
            holder: settings.pod_name.clone().filter(|name| !name.is_empty()),
            owner: settings.owner.clone(),
        })
    }

    /// The whole Lease as it must be: what is absent here, server-side apply removes.
    pub(super) fn lease(&self, tally: Tally, now: Timestamp) -> Lease {
        let mut annotations = BTreeMap::from([(WAITING.to_owned(), tally.images.to_string())]);
        annotations.extend(tally.oldest.map(|oldest| (OLDEST.to_owned(), oldest.to_string())));
        let labels = [("app.kubernetes.io/managed-by", MANAGER), ("classifierfleet.dev/fleet", self.fleet.as_str())];
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                namespace: Some(self.namespace.clone()),
                labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
                annotations: Some(annotations),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: self.holder.clone(),
                lease_duration_seconds: Some(HOLDS_SECONDS),
                renew_time: Some(MicroTime(now)),
                ..LeaseSpec::default()
            }),
        }
    }
}
