//! Owns what can be asked about instances. Changes nothing.

use jiff::Timestamp;

use super::filter::Filter;
use super::instance::Instance;
use super::page::{Page, Paging};
use super::records::Seen;
use super::{Cloud, orders_by};
use crate::refusal::Refusal;

/// "Expecting a value between 5 and 1000" items a page.
pub(super) const PAGE_SIZES: std::ops::RangeInclusive<usize> = 5..=1000;

/// DescribeInstances.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceQuery {
    /// Those with these ids; not together with MaxResults.
    pub ids: Vec<String>,
    /// See [`Filter`].
    pub filters: Vec<Filter>,
    /// 5 to 1000 instances a page.
    pub paging: Paging,
}

impl Cloud {
    /// DescribeInstances: a page of instances in launch order, each as it was before the describe lag, also for the filters.
    ///
    /// # Errors
    /// `InvalidInstanceID.…`, also for an instance too new to be listed; an unknown filter; paging.
    pub fn describe_instances(&self, query: &InstanceQuery, now: Timestamp) -> Result<Page<(u64, &Instance)>, Refusal> {
        let InstanceQuery { ids, filters, paging } = query;
        if !ids.is_empty() && paging.max_results.is_some() {
            return Err(Refusal::InvalidParameterCombination(
                "The parameter instancesSet cannot be used with the parameter maxResults".to_owned(),
            ));
        }
        let tests: Vec<Test<'_>> = filters.iter().map(Test::of).collect::<Result<_, _>>()?;
        let seen = self.records.seen(now);
        let found: Box<dyn Iterator<Item = (u64, &Instance)>> =
            if ids.is_empty() { candidates(seen, &tests, paging.after()?) } else { Box::new(of_ids(seen, ids)?.into_iter()) };
        let found = found.filter(|(_, instance)| tests.iter().all(|test| test.allows(instance)));
        paging.cut(found, |(order, _)| *order, PAGE_SIZES)
    }
}

/// Those asked for by id, as far as they are listed yet, in launch order.
fn of_ids<'a>(seen: Seen<'a>, ids: &[String]) -> Result<Vec<(u64, &'a Instance)>, Refusal> {
    let mut orders = orders_by(ids, |id| seen.order(id))?;
    orders.sort_unstable();
    orders.dedup();
    Ok(orders.into_iter().filter_map(|order| Some((order, seen.get(order)?))).collect())
}

/// All behind `after` that may pass: by the index of the tag that the fewest have, or else all.
fn candidates<'a>(seen: Seen<'a>, tests: &[Test<'_>], after: Option<u64>) -> Box<dyn Iterator<Item = (u64, &'a Instance)> + 'a> {
    let by_tag = tests.iter().filter_map(Test::tag).min_by_key(|(key, values)| seen.count_tagged(key, values));
    match by_tag {
        Some((key, values)) => Box::new(seen.tagged(key, values, after)),
        None => seen.all(after),
    }
}

/// A filter that is known.
#[derive(Debug)]
struct Test<'a> {
    filter: &'a Filter,
    field: Field<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Field<'a> {
    Tag(&'a str),
    TagKey,
    TagValue,
    Id,
    Type,
    StateName,
    StateCode,
    Image,
    ClientToken,
    Reservation,
    Subnet,
    Zone,
    KeyName,
    PrivateIp,
    PrivateDns,
    Group,
    Profile,
    StateReason,
    Lifecycle,
    SpotRequest,
    LaunchTime,
}

impl<'a> Test<'a> {
    fn of(filter: &'a Filter) -> Result<Self, Refusal> {
        let field = Field::named(&filter.name).ok_or_else(|| filter.unknown())?;
        Ok(Self { filter, field })
    }

    /// The tag and the values that the index can be asked for.
    fn tag(&self) -> Option<(&'a str, &'a [String])> {
        match self.field {
            Field::Tag(key) => Some((key, self.filter.literals()?)),
            _ => None,
        }
    }

    fn allows(&self, instance: &Instance) -> bool {
        let spec = &instance.spec;
        let one = |text: &str| self.filter.allows([text]);
        let maybe = |text: Option<&str>| self.filter.allows(text);
        match self.field {
            Field::Tag(key) => maybe(instance.tags.get(key).map(String::as_str)),
            Field::TagKey => self.filter.allows(instance.tags.keys().map(String::as_str)),
            Field::TagValue => self.filter.allows(instance.tags.values().map(String::as_str)),
            Field::Id => one(&instance.id),
            Field::Type => one(instance.instance_type()),
            Field::StateName => one(instance.phase.name()),
            Field::StateCode => one(&instance.phase.code().to_string()),
            Field::Image => one(instance.image_id()),
            Field::ClientToken => maybe(instance.client_token.as_deref()),
            Field::Reservation => one(&instance.reservation_id),
            Field::Subnet => maybe(spec.subnet_id.as_deref()),
            Field::Zone => one(&instance.zone),
            Field::KeyName => maybe(spec.key_name.as_deref()),
            Field::PrivateIp => one(&instance.private_ip),
            Field::PrivateDns => one(&instance.private_dns()),
            Field::Group => self.filter.allows(spec.security_group_ids.iter().map(String::as_str)),
            Field::Profile => maybe(instance.profile().map(|(arn, _)| arn).as_deref()),
            Field::StateReason => maybe(instance.reason.as_ref().map(|reason| reason.code)),
            Field::Lifecycle => maybe(instance.is_spot().then_some("spot")),
            Field::SpotRequest => maybe(instance.spot_request_id.as_deref()),
            Field::LaunchTime => one(&instance.launched_at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
        }
    }
}

impl<'a> Field<'a> {
    fn named(name: &'a str) -> Option<Self> {
        Some(match name {
            "tag-key" => Self::TagKey,
            "tag-value" => Self::TagValue,
            "instance-id" => Self::Id,
            "instance-type" => Self::Type,
            "instance-state-name" => Self::StateName,
            "instance-state-code" => Self::StateCode,
            "image-id" => Self::Image,
            "client-token" => Self::ClientToken,
            "reservation-id" => Self::Reservation,
            "subnet-id" => Self::Subnet,
            "availability-zone" => Self::Zone,
            "key-name" => Self::KeyName,
            "private-ip-address" => Self::PrivateIp,
            "private-dns-name" => Self::PrivateDns,
            "instance.group-id" => Self::Group,
            "iam-instance-profile.arn" => Self::Profile,
            "state-reason-code" => Self::StateReason,
            "instance-lifecycle" => Self::Lifecycle,
            "spot-instance-request-id" => Self::SpotRequest,
            "launch-time" => Self::LaunchTime,
            _ => Self::Tag(name.strip_prefix("tag:")?),
        })
    }
}
