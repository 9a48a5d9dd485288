//! Owns tags: what they may be, and which resources have them. Knows nothing of how they are asked for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Cloud;
use crate::ids;
use crate::refusal::{IdKind, Refusal};

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// "Tag restrictions" of the EC2 user guide.
const MAX_TAGS: usize = 50;
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;

/// Whether a resource may have these tags. `served` says that the metadata service shows them as paths.
///
/// # Errors
/// `InvalidParameterValue`, `TagLimitExceeded`.
pub(super) fn check(tags: &Tags, served: bool) -> Result<(), Refusal> {
    check_count(tags)?;
    for (key, value) in tags {
        check_one(key, value)?;
        if served {
            check_served_key(key)?;
        }
    }
    Ok(())
}

/// Tags that AWS itself sets do not count.
fn check_count(tags: &Tags) -> Result<(), Refusal> {
    let own = tags.keys().filter(|key| !is_reserved(key)).count();
    if own > MAX_TAGS { Err(Refusal::TagLimitExceeded(format!("{own} of at most {MAX_TAGS}"))) } else { Ok(()) }
}

fn is_reserved(key: &str) -> bool {
    key.to_lowercase().starts_with("aws:")
}

fn check_one(key: &str, value: &str) -> Result<(), Refusal> {
    let message = if key.is_empty() {
        "Tag key cannot be empty.".to_owned()
    } else if is_reserved(key) {
        format!("Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use")
    } else if key.chars().count() > MAX_KEY_CHARS {
        format!("Tag key exceeds the maximum length of {MAX_KEY_CHARS} characters")
    } else if value.chars().count() > MAX_VALUE_CHARS {
        format!("Tag value exceeds the maximum length of {MAX_VALUE_CHARS} characters")
    } else {
        return Ok(());
    };
    Err(Refusal::InvalidParameterValue(message))
}

fn check_served_key(key: &str) -> Result<(), Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-=._:,@".contains(c);
    if key.chars().all(allowed) && !matches!(key, "." | ".." | "_index") {
        return Ok(());
    }
    Err(Refusal::InvalidParameterValue(format!(
        "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), \
         and must not be a reserved name ('.', '..', '_index')"
    )))
}

impl Cloud {
    /// Adds or overwrites tags on all these resources, or on none.
    ///
    /// # Errors
    /// `Invalid….NotFound`, `InvalidID`, and those of the tag rules.
    pub fn create_tags(&mut self, resources: &[String], tags: &Tags, now: Timestamp) -> Result<(), Refusal> {
        for resource in resources {
            let (own, served) = self.tagged(resource)?;
            let mut all = own.clone();
            all.extend(tags.clone());
            check(tags, served).and_then(|()| check_count(&all))?;
        }
        for resource in resources {
            self.retag(resource, now, |own| own.extend(tags.clone()));
        }
        Ok(())
    }

    /// Removes tags by key; with a value only where it is the one there; all user-defined ones, if none is named.
    ///
    /// # Errors
    /// `Invalid….NotFound`, `InvalidID`.
    pub fn delete_tags(&mut self, resources: &[String], tags: &[(String, Option<String>)], now: Timestamp) -> Result<(), Refusal> {
        for resource in resources {
            self.tagged(resource)?;
        }
        let named = |key: &String, value: &String| tags.iter().any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value));
        for resource in resources {
            self.retag(resource, now, |own| own.retain(|key, value| is_reserved(key) || !(tags.is_empty() || named(key, value))));
        }
        Ok(())
    }

    /// A resource's tags, and whether the metadata service shows them.
    fn tagged(&self, resource: &str) -> Result<(&Tags, bool), Refusal> {
        let missing = |kind| Refusal::NotFound(kind, vec![resource.to_owned()]);
        match kind_of(resource)? {
            IdKind::Instance => {
                let instance = self.instance(resource).ok_or_else(|| missing(IdKind::Instance))?;
                Ok((&instance.tags, instance.spec.serves_tags()))
            }
            IdKind::Template => {
                let template = self.templates.get(resource).ok_or_else(|| missing(IdKind::Template))?;
                Ok((&template.tags, false))
            }
            _ => {
                let instance = self.records.order_of_volume(resource).and_then(|order| self.records.get(order));
                let volume = instance.and_then(|instance| instance.volumes.iter().find(|volume| volume.id == resource));
                Ok((&volume.ok_or_else(|| missing(IdKind::Volume))?.tags, false))
            }
        }
    }

    /// Changes the tags of a resource that is there.
    fn retag(&mut self, resource: &str, now: Timestamp, change: impl FnOnce(&mut Tags)) {
        if let Some(template) = self.templates.get_mut(resource) {
            change(&mut template.tags);
        } else if let Some(order) = self.records.order(resource) {
            self.records.retag(order, now, change);
            self.guest_tags_changed(order, now);
        } else if let Some(order) = self.records.order_of_volume(resource) {
            self.records.edit(order, now, |instance| {
                if let Some(volume) = instance.volumes.iter_mut().find(|volume| volume.id == resource) {
                    change(&mut volume.tags);
                }
            });
        }
    }
}

/// Which of the three kinds that can be tagged this is.
fn kind_of(resource: &str) -> Result<IdKind, Refusal> {
    let kinds = [IdKind::Instance, IdKind::Template, IdKind::Volume];
    let kind = kinds.into_iter().find(|kind| ids::is_well_formed(*kind, resource));
    kind.ok_or_else(|| Refusal::InvalidId(resource.to_owned()))
}
