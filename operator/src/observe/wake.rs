//! What the gateways say of uploads that wait, in the Leases that they renew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt as _;
use plan::Waiting;

use crate::scope::FLEET_LABEL;

/// Images that wait in this replica.
pub const WAITING: &str = "classifierfleet.dev/waiting";
/// When the oldest of them was uploaded, RFC 3339.
pub const OLDEST: &str = "classifierfleet.dev/oldest";

/// A Lease that was not renewed for longer than its gateway promised counts no more; this, in seconds, if it promised nothing.
const VALID: i32 = 15;

/// Namespace and name of a fleet.
type Key = (String, String);

/// What the gateways of all fleets said last.
#[derive(Clone, Default)]
pub struct Uploads(Arc<Mutex<HashMap<Key, HashMap<String, Said>>>>);

/// What one Lease says, and how long that counts.
struct Said {
    waiting: Waiting,
    until: Timestamp,
}

impl Uploads {
    /// Takes in that `lease` was written, or `deleted`.
    pub fn hear(&self, lease: &Lease, deleted: bool) {
        let (Some(namespace), Some(fleet)) = (lease.namespace(), lease.labels().get(FLEET_LABEL)) else { return };
        let mut all = self.lock();
        let fleet = all.entry((namespace, fleet.clone())).or_default();
        match said(lease).filter(|_| !deleted) {
            Some(said) => drop(fleet.insert(lease.name_any(), said)),
            None => drop(fleet.remove(&lease.name_any())),
        }
    }

    /// What the Leases of one fleet say together.
    pub fn waiting(&self, fleet: &ClassifierFleet, now: Timestamp) -> Waiting {
        let (mut all, key) = (self.lock(), (fleet.namespace().unwrap_or_default(), fleet.name_any()));
        let Some(leases) = all.get_mut(&key) else { return Waiting::default() };
        leases.retain(|_, said| now <= said.until);
        let sum = leases.values().fold(Waiting::default(), |sum, Said { waiting, .. }| Waiting {
            images: sum.images.saturating_add(waiting.images),
            oldest: sum.oldest.into_iter().chain(waiting.oldest).min(),
        });
        if leases.is_empty() {
            all.remove(&key);
        }
        sum
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, HashMap<String, Said>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(lease: &Lease) -> Option<Said> {
    let spec = lease.spec.as_ref()?;
    let seconds = spec.lease_duration_seconds.unwrap_or(VALID);
    let until = spec.renew_time.as_ref()?.0.saturating_add(SignedDuration::from_secs(i64::from(seconds))).ok()?;
    let annotation = |key: &str| lease.annotations().get(key);
    let images = annotation(WAITING).and_then(|text| text.parse().ok()).unwrap_or(0);
    let oldest = annotation(OLDEST).and_then(|text| text.parse().ok());
    Some(Said { waiting: Waiting { images, oldest }, until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(name: &str, waiting: &str, oldest: &str, renewed: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "name": name, "namespace": "shop", "labels": {FLEET_LABEL: "photos"}, "annotations": {WAITING: waiting, OLDEST: oldest},
            },
            "spec": {"renewTime": renewed, "leaseDurationSeconds": 15},
        }))
        .unwrap()
    }

    fn fleet(name: &str) -> ClassifierFleet {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "queues": {"request": {"name": "a"}, "response": {"name": "b"}},
                "storage": {"inputBucket": "in", "outputBucket": "out"},
                "model": {"uri": "s3://models/m"},
                "workers": {"max": 1, "template": {"imageId": "ami-1", "instanceTypes": ["t3.small"]}},
            },
        }))
        .unwrap()
    }

    fn uploads() -> Uploads {
        let uploads = Uploads::default();
        for lease in [
            lease("a", "3", "2026-01-01T00:00:05Z", "2026-01-01T00:00:09.000000Z"),
            lease("b", "4", "2026-01-01T00:00:02Z", "2026-01-01T00:00:08.000000Z"),
            lease("c", "50", "2025-12-31T00:00:00Z", "2025-12-31T23:59:00.000000Z"),
            lease("d", "many", "soon", "2026-01-01T00:00:09.000000Z"),
        ] {
            uploads.hear(&lease, false);
        }
        uploads
    }

    fn waiting(uploads: &Uploads, at: &str) -> u64 {
        uploads.waiting(&fleet("photos"), at.parse().unwrap()).images
    }

    #[test]
    fn replicas_are_added_up_and_those_that_are_silent_are_not() {
        let (uploads, now) = (uploads(), "2026-01-01T00:00:10Z".parse().unwrap());
        let expected = Waiting { images: 7, oldest: Some("2026-01-01T00:00:02Z".parse().unwrap()) };
        assert_eq!(uploads.waiting(&fleet("photos"), now), expected);
        assert_eq!(uploads.waiting(&fleet("others"), now), Waiting::default());
    }

    #[test]
    fn the_last_word_of_a_replica_counts_until_it_expires_or_is_deleted() {
        let uploads = uploads();
        uploads.hear(&lease("a", "1", "", "2026-01-01T00:00:12.000000Z"), false);
        assert_eq!(waiting(&uploads, "2026-01-01T00:00:12Z"), 5);
        uploads.hear(&lease("b", "4", "", "2026-01-01T00:00:12.000000Z"), true);
        assert_eq!(waiting(&uploads, "2026-01-01T00:00:27Z"), 1);
        assert_eq!(waiting(&uploads, "2026-01-01T00:00:28Z"), 0);
        assert!(uploads.lock().is_empty(), "what is said no longer is forgotten");
    }
}
