//! Owns what can be asked about tags. Changes nothing.

use jiff::Timestamp;

use super::Cloud;
use super::describe::PAGE_SIZES;
use super::filter::Filter;
use super::page::{Page, Paging};
use super::templates::all_allow;
use crate::refusal::Refusal;

/// One tag of one resource, as DescribeTags lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagRow<'a> {
    /// The resource.
    pub resource_id: &'a str,
    /// The tag's key.
    pub key: &'a str,
    /// The tag's value.
    pub value: &'a str,
    /// `instance`, `volume` or `launch-template`.
    pub resource_type: &'static str,
}

impl Cloud {
    /// DescribeTags: a page of tags, by resource and key. Those of instances and volumes are as they were before the lag.
    ///
    /// # Errors
    /// An unknown filter, paging.
    pub fn describe_tags(&self, filters: &[Filter], paging: &Paging, now: Timestamp) -> Result<Page<TagRow<'_>>, Refusal> {
        let mut rows = Vec::new();
        for row in self.tag_rows(now) {
            if all_allow(filters, |filter| row.allows(filter))? {
                rows.push(row);
            }
        }
        rows.sort_unstable();
        paging.cut(rows.into_iter(), |row| format!("{} {}", row.resource_id, row.key), PAGE_SIZES)
    }

    fn tag_rows(&self, now: Timestamp) -> impl Iterator<Item = TagRow<'_>> {
        let instances = self.records.seen(now).all(None).flat_map(|(_, instance)| {
            let volumes = instance.volumes.iter().map(|volume| (&volume.id, &volume.tags, "volume"));
            std::iter::once((&instance.id, &instance.tags, "instance")).chain(volumes)
        });
        let templates = self.templates.values().map(|template| (&template.id, &template.tags, "launch-template"));
        instances.chain(templates).flat_map(|(resource_id, tags, resource_type)| {
            tags.iter().map(move |(key, value)| TagRow { resource_id, key, value, resource_type })
        })
    }
}

impl TagRow<'_> {
    fn allows(&self, filter: &Filter) -> Result<bool, Refusal> {
        if let Some(key) = filter.name.strip_prefix("tag:") {
            return Ok(self.key == key && filter.allows([self.value]));
        }
        let field = match filter.name.as_str() {
            "key" => self.key,
            "value" => self.value,
            "resource-id" => self.resource_id,
            "resource-type" => self.resource_type,
            _ => return Err(filter.unknown()),
        };
        Ok(filter.allows([field]))
    }
}
