//! Owns how many instances there is room for, by offering: market, type and subnet. Knows nothing of why one is launched.

use std::collections::BTreeMap;

use super::Cloud;
use super::instance::Instance;
use super::spec::LaunchSpec;
use crate::refusal::Refusal;

/// How many instances may be live at once, by offering: `t3.small`, `spot:t3.small`, `t3.small@subnet-…` or
/// `spot:t3.small@subnet-…`. What no key fits is unlimited.
///
/// Each instance counts for the most special key that fits it, and for no other: first those with its subnet, and of two
/// keys the one with its market.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capacity(BTreeMap<String, u32>);

/// A key of a capacity that names no offering.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no offering; write TYPE, spot:TYPE, TYPE@subnet-… or spot:TYPE@subnet-…, such as spot:t3.small")]
pub struct UnknownOffering(String);

impl TryFrom<BTreeMap<String, u32>> for Capacity {
    type Error = UnknownOffering;

    fn try_from(limits: BTreeMap<String, u32>) -> Result<Self, UnknownOffering> {
        match limits.keys().find(|key| !is_offering(key)) {
            Some(odd) => Err(UnknownOffering(odd.clone())),
            None => Ok(Self(limits)),
        }
    }
}

impl Capacity {
    /// The limits by offering.
    #[must_use]
    pub fn limits(&self) -> &BTreeMap<String, u32> {
        &self.0
    }

    /// The key that counts for instances of this specification.
    fn key(&self, spec: &LaunchSpec) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let keys = keys(spec);
        keys.iter().find_map(|key| self.0.get_key_value(key)).map(|(key, _)| key.as_str())
    }
}

fn is_offering(key: &str) -> bool {
    let rest = key.strip_prefix("spot:").unwrap_or(key);
    let (kind, subnet) = rest.split_once('@').map_or((rest, None), |(kind, subnet)| (kind, Some(subnet)));
    kind.contains('.') && !kind.contains(':') && subnet.is_none_or(|subnet| subnet.starts_with("subnet-"))
}

/// All keys that fit, the most special first.
fn keys(spec: &LaunchSpec) -> Vec<String> {
    let kind = spec.type_name();
    let mut keys = Vec::new();
    for place in spec.subnet_id.iter().map(|subnet| format!("@{subnet}")).chain([String::new()]) {
        if spec.market.is_some() {
            keys.push(format!("spot:{kind}{place}"));
        }
        keys.push(format!("{kind}{place}"));
    }
    keys
}

impl Cloud {
    /// Limits how many instances may be live at once.
    pub fn set_capacity(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    /// The limits set by [`Self::set_capacity`].
    #[must_use]
    pub fn capacity(&self) -> &Capacity {
        &self.capacity
    }

    /// How many more instances of this specification there is room for.
    pub(super) fn room_for(&self, spec: &LaunchSpec) -> u32 {
        let Some(key) = self.capacity.key(spec) else {
            return u32::MAX;
        };
        let taken = self.records.iter().filter(|instance| instance.phase.takes_room() && self.capacity.key(&instance.spec) == Some(key));
        let taken = u32::try_from(taken.count()).unwrap_or(u32::MAX);
        self.capacity.0.get(key).map_or(u32::MAX, |limit| limit.saturating_sub(taken))
    }

    /// Whether all of these, which take no room now, can be switched on.
    ///
    /// # Errors
    /// `InsufficientInstanceCapacity`
    pub(super) fn check_room(&self, instances: &[&Instance]) -> Result<(), Refusal> {
        for instance in instances {
            let Some(key) = self.capacity.key(&instance.spec) else {
                continue;
            };
            let wanted = instances.iter().filter(|other| self.capacity.key(&other.spec) == Some(key)).count();
            if usize::try_from(self.room_for(&instance.spec)).is_ok_and(|room| room < wanted) {
                return Err(instance.spec.no_room(&instance.zone));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_special_key_counts() {
        let all = ["t3.small", "spot:t3.small", "t3.small@subnet-1", "spot:t3.small@subnet-1"];
        let cases = [
            (false, None, "t3.small"),
            (true, None, "spot:t3.small"),
            (false, Some("subnet-1"), "t3.small@subnet-1"),
            (true, Some("subnet-1"), "spot:t3.small@subnet-1"),
            (true, Some("subnet-2"), "spot:t3.small"),
        ];
        let capacity = Capacity::try_from(BTreeMap::from(all.map(|key| (key.to_owned(), 1)))).unwrap();
        for (spot, subnet, expected) in cases {
            let spec = LaunchSpec {
                instance_type: Some("t3.small".to_owned()),
                subnet_id: subnet.map(str::to_owned),
                market: spot.then(Default::default),
                ..LaunchSpec::default()
            };
            assert_eq!(capacity.key(&spec), Some(expected), "{spec:?}");
        }
    }

    #[test]
    fn a_subnet_is_more_special_than_a_market() {
        let limits = BTreeMap::from([("spot:t3.small".to_owned(), 1), ("t3.small@subnet-1".to_owned(), 1)]);
        let capacity = Capacity::try_from(limits).unwrap();
        let spec = LaunchSpec {
            instance_type: Some("t3.small".to_owned()),
            subnet_id: Some("subnet-1".to_owned()),
            market: Some(Default::default()),
            ..LaunchSpec::default()
        };
        assert_eq!(capacity.key(&spec), Some("t3.small@subnet-1"));
    }

    #[test]
    fn what_names_no_offering_is_refused() {
        for odd in ["small", "spot:", "spot-t3", "t3.small@net-1", "on-demand:t3.small", "t3.small@"] {
            let refused = Capacity::try_from(BTreeMap::from([(odd.to_owned(), 1)]));
            assert_eq!(refused, Err(UnknownOffering(odd.to_owned())));
        }
    }
}
