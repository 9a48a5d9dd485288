//! Owns what can be asked about instances and tags. Changes nothing.

use jiff::Timestamp;

use super::Cloud;
use super::filter::Filter;
use super::instance::Instance;
use super::page::{Page, Paging};
use super::templates::all_allow;
use crate::refusal::{IdKind, Refusal};

/// "Expecting a value between 5 and 1000" items a page.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 5..=1000;

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

/// One tag of one resource, as DescribeTags lists them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagRow {
    /// The resource.
    pub resource_id: String,
    /// The tag's key.
    pub key: String,
    /// The tag's value.
    pub value: String,
    /// `instance`, `volume` or `launch-template`.
    pub resource_type: &'static str,
}

impl Cloud {
    /// DescribeInstances: a page of instances in launch order.
    ///
    /// # Errors
    /// `InvalidInstanceID.…`, also for an instance too new to be listed; an unknown filter; paging.
    pub fn describe_instances(&self, query: &InstanceQuery, now: Timestamp) -> Result<Page<(u64, &Instance)>, Refusal> {
        if !query.ids.is_empty() && query.paging.max_results.is_some() {
            return Err(Refusal::InvalidParameterCombination(
                "The parameter instancesSet cannot be used with the parameter maxResults".to_owned(),
            ));
        }
        known_filters(&query.filters)?;
        let mut found = Vec::new();
        for (order, instance) in self.candidates(&query.ids, now)? {
            if all_allow(&query.filters, |filter| allows(filter, instance))? {
                found.push((order, instance));
            }
        }
        query.paging.cut(found.into_iter(), |(order, _)| format!("{order:020}"), PAGE_SIZES)
    }

    /// Those asked for by id, or all, as far as they are listed yet.
    fn candidates(&self, ids: &[String], now: Timestamp) -> Result<Vec<(u64, &Instance)>, Refusal> {
        let all = self.instances.iter().map(|(order, instance)| (*order, instance));
        if ids.is_empty() {
            return Ok(all.filter(|(_, instance)| instance.listed_from <= now).collect());
        }
        let mut orders = self.orders_of(ids)?;
        orders.sort_unstable();
        orders.dedup();
        let found: Vec<_> = orders.iter().filter_map(|order| Some((*order, self.instances.get(order)?))).collect();
        let hidden = found.iter().filter(|(_, instance)| instance.listed_from > now);
        let missing: Vec<String> = hidden.map(|(_, instance)| instance.id.clone()).collect();
        if missing.is_empty() { Ok(found) } else { Err(Refusal::NotFound(IdKind::Instance, missing)) }
    }

    /// DescribeTags: a page of tags, by resource and key.
    ///
    /// # Errors
    /// An unknown filter, paging.
    pub fn describe_tags(&self, filters: &[Filter], paging: &Paging) -> Result<Page<TagRow>, Refusal> {
        let mut rows = Vec::new();
        for row in self.tag_rows() {
            if all_allow(filters, |filter| row.allows(filter))? {
                rows.push(row);
            }
        }
        rows.sort();
        paging.cut(rows.into_iter(), |row| format!("{} {}", row.resource_id, row.key), PAGE_SIZES)
    }

    fn tag_rows(&self) -> impl Iterator<Item = TagRow> {
        let instances = self.instances().map(|instance| (&instance.id, &instance.tags, "instance"));
        let volumes = self.instances().map(|instance| (&instance.volume.id, &instance.volume.tags, "volume"));
        let templates = self.templates.values().map(|template| (&template.id, &template.tags, "launch-template"));
        instances.chain(volumes).chain(templates).flat_map(|(id, tags, resource_type)| {
            tags.iter().map(move |(key, value)| TagRow { resource_id: id.clone(), key: key.clone(), value: value.clone(), resource_type })
        })
    }
}

impl TagRow {
    fn allows(&self, filter: &Filter) -> Result<bool, Refusal> {
        if let Some(key) = filter.name.strip_prefix("tag:") {
            return Ok(self.key == key && filter.allows([self.value.as_str()]));
        }
        let field = match filter.name.as_str() {
            "key" => self.key.as_str(),
            "value" => self.value.as_str(),
            "resource-id" => self.resource_id.as_str(),
            "resource-type" => self.resource_type,
            _ => return Err(filter.unknown()),
        };
        Ok(filter.allows([field]))
    }
}

/// An unknown filter is refused also when there is no instance to ask it of.
fn known_filters(filters: &[Filter]) -> Result<(), Refusal> {
    let known = |filter: &&Filter| {
        filter.name.starts_with("tag:") || matches!(filter.name.as_str(), "tag-key" | "tag-value") || FIELDS.contains(&filter.name.as_str())
    };
    match filters.iter().find(|filter| !known(filter)) {
        Some(unknown) => Err(unknown.unknown()),
        None => Ok(()),
    }
}

const FIELDS: [&str; 15] = [
    "instance-id",
    "instance-type",
    "instance-state-name",
    "instance-state-code",
    "image-id",
    "client-token",
    "reservation-id",
    "subnet-id",
    "availability-zone",
    "key-name",
    "private-ip-address",
    "private-dns-name",
    "instance.group-id",
    "iam-instance-profile.arn",
    "state-reason-code",
];

fn allows(filter: &Filter, instance: &Instance) -> Result<bool, Refusal> {
    if let Some(answer) = filter.allows_tags(&instance.tags) {
        return Ok(answer);
    }
    let spec = &instance.spec;
    let one = |text: &str| Ok(filter.allows([text]));
    let maybe = |text: Option<&str>| Ok(filter.allows(text));
    match filter.name.as_str() {
        "instance-id" => one(&instance.id),
        "instance-type" => one(instance.instance_type()),
        "instance-state-name" => one(instance.phase.name()),
        "instance-state-code" => one(&instance.phase.code().to_string()),
        "image-id" => one(instance.image_id()),
        "client-token" => maybe(instance.client_token.as_deref()),
        "reservation-id" => one(&instance.reservation_id),
        "subnet-id" => maybe(spec.subnet_id.as_deref()),
        "availability-zone" => one(&instance.zone),
        "key-name" => maybe(spec.key_name.as_deref()),
        "private-ip-address" => one(&instance.private_ip),
        "private-dns-name" => one(&instance.private_dns()),
        "instance.group-id" => Ok(filter.allows(spec.security_group_ids.iter().map(String::as_str))),
        "iam-instance-profile.arn" => maybe(instance.profile().map(|(arn, _)| arn).as_deref()),
        "state-reason-code" => maybe(instance.reason.as_ref().map(|reason| reason.code)),
        _ => Err(filter.unknown()),
    }
}
