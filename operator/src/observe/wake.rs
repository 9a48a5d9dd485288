//! What the gateways say of uploads that wait, in the Leases that they renew. Pure.

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

/// A Lease that was not renewed for longer than its gateway promised counts no more; this, if it promised nothing.
const VALID: i32 = 15;

/// Whether `lease` is one of the fleet's.
pub fn is_of(fleet: &ClassifierFleet, lease: &Lease) -> bool {
    lease.namespace() == fleet.namespace() && lease.labels().get(FLEET_LABEL) == Some(&fleet.name_any())
}

/// What the Leases of one fleet say together.
pub fn waiting<'a>(leases: impl IntoIterator<Item = &'a Lease>, now: Timestamp) -> Waiting {
    let valid = leases.into_iter().filter(|lease| is_valid(lease, now));
    valid.fold(Waiting::default(), |sum, lease| {
        let annotation = |key: &str| lease.annotations().get(key);
        let images: u64 = annotation(WAITING).and_then(|text| text.parse().ok()).unwrap_or(0);
        let oldest: Option<Timestamp> = annotation(OLDEST).and_then(|text| text.parse().ok());
        Waiting { images: sum.images.saturating_add(images), oldest: sum.oldest.into_iter().chain(oldest).min() }
    })
}

fn is_valid(lease: &Lease, now: Timestamp) -> bool {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).unwrap_or(VALID);
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref());
    renewed.is_some_and(|renewed| now.duration_since(renewed.0) <= SignedDuration::from_secs(i64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(waiting: &str, oldest: &str, renewed: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "a", "annotations": {WAITING: waiting, OLDEST: oldest}},
            "spec": {"renewTime": renewed, "leaseDurationSeconds": 15},
        }))
        .unwrap()
    }

    #[test]
    fn replicas_are_added_up_and_those_that_are_silent_are_not() {
        let leases = [
            lease("3", "2026-01-01T00:00:05Z", "2026-01-01T00:00:09.000000Z"),
            lease("4", "2026-01-01T00:00:02Z", "2026-01-01T00:00:08.000000Z"),
            lease("50", "2025-12-31T00:00:00Z", "2025-12-31T23:59:00.000000Z"),
            lease("many", "soon", "2026-01-01T00:00:09.000000Z"),
        ];
        let waiting = waiting(&leases, "2026-01-01T00:00:10Z".parse().unwrap());
        assert_eq!(waiting, Waiting { images: 7, oldest: Some("2026-01-01T00:00:02Z".parse().unwrap()) });
    }
}
