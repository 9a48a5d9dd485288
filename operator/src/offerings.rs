//! Offerings that EC2 refused: closed for a while, then probed, as the fleet's status tells. Pure.

use crds::OfferingStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::{Closed, Offering};

/// A probe that has grown to this is none any more.
const PROBED_ENOUGH: i32 = 64;

/// In the API's words.
pub fn to_api(offering: &Offering) -> crds::Offering {
    let Offering { instance_type, subnet_id, spot } = offering.clone();
    crds::Offering { instance_type, subnet_id, spot }
}

/// In the words of `plan`.
pub fn to_plan(offering: &crds::Offering) -> Offering {
    let crds::Offering { instance_type, subnet_id, spot } = offering.clone();
    Offering { instance_type, subnet_id, spot }
}

/// What is known of `offering`; made if nothing is.
pub fn entry<'a>(statuses: &'a mut Vec<OfferingStatus>, offering: &Offering) -> &'a mut OfferingStatus {
    let offering = to_api(offering);
    let index = statuses.iter().position(|status| status.offering == offering).unwrap_or_else(|| {
        statuses.push(OfferingStatus { offering, unavailable_until: None, probe: None, reason: None, boot_seconds: None });
        statuses.len() - 1
    });
    &mut statuses[index]
}

/// The fleet's offerings in their order, with what was known of each; those that it no longer names are forgotten.
pub fn of_fleet(offerings: &[Offering], statuses: &[OfferingStatus]) -> Vec<OfferingStatus> {
    let mut known = statuses.to_vec();
    offerings.iter().map(|offering| entry(&mut known, offering).clone()).collect()
}

/// EC2 has no room there, or its workers never became ready: nothing is launched there before `until`.
pub fn refused(statuses: &mut Vec<OfferingStatus>, offering: &Offering, reason: &str, until: Timestamp) {
    let status = entry(statuses, offering);
    status.unavailable_until = Some(Time(until));
    status.probe = Some(1);
    status.reason = Some(reason.to_owned());
}

/// EC2 launched there. Twice as many may be launched next; soon as many as are wanted.
pub fn launched(statuses: &mut Vec<OfferingStatus>, offering: &Offering) {
    let status = entry(statuses, offering);
    status.unavailable_until = None;
    status.probe = status.probe.map(|probe| probe.saturating_mul(2)).filter(|probe| *probe < PROBED_ENOUGH);
    if status.probe.is_none() {
        status.reason = None;
    }
}

/// Those that are closed or probed, in the words of `plan`.
pub fn closed(statuses: &[OfferingStatus]) -> Vec<Closed> {
    let closed = |status: &OfferingStatus| {
        let until = status.unavailable_until.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        Some(Closed { offering: to_plan(&status.offering), until, probe: u32::try_from(status.probe?).unwrap_or(1) })
    };
    statuses.iter().filter_map(closed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(name: &str) -> Offering {
        Offering { instance_type: name.to_owned(), subnet_id: None, spot: false }
    }

    #[test]
    fn a_refused_offering_is_closed_then_probed_by_doubling_then_forgotten() {
        let (mut statuses, now) = (of_fleet(&[offering("a"), offering("b")], &[]), Timestamp::UNIX_EPOCH);
        refused(&mut statuses, &offering("a"), "InsufficientInstanceCapacity", now);
        assert_eq!(closed(&statuses), [Closed { offering: offering("a"), until: now, probe: 1 }]);
        let mut probes = Vec::new();
        while let [open] = closed(&statuses).as_slice() {
            probes.push(open.probe);
            launched(&mut statuses, &offering("a"));
        }
        assert_eq!(probes, [1, 2, 4, 8, 16, 32]);
        assert_eq!(statuses[0].reason, None);
    }

    #[test]
    fn a_failed_probe_begins_anew_and_others_are_not_touched() {
        let (mut statuses, now) = (of_fleet(&[offering("a"), offering("b")], &[]), Timestamp::UNIX_EPOCH);
        refused(&mut statuses, &offering("a"), "X", now);
        launched(&mut statuses, &offering("a"));
        refused(&mut statuses, &offering("a"), "Y", now);
        assert_eq!(closed(&statuses)[0].probe, 1);
        assert_eq!(statuses[1], of_fleet(&[offering("b")], &[])[0]);
    }

    #[test]
    fn what_the_fleet_no_longer_names_is_forgotten() {
        let mut statuses = of_fleet(&[offering("a"), offering("b")], &[]);
        refused(&mut statuses, &offering("a"), "X", Timestamp::UNIX_EPOCH);
        assert_eq!(of_fleet(&[offering("b")], &statuses), of_fleet(&[offering("b")], &[]));
    }
}
