//! The lifecycle rule by which a bucket forgets images and results, among the rules of others. Pure.

use aws_sdk_s3::error::BuildError;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter};
use crds::ClassifierFleet;
use kube::ResourceExt as _;

/// How the ids of all fleets' rules begin.
const PREFIX: &str = "classifierfleet-";

/// Why the rules cannot be what the fleet asks for.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A fleet that is not known has a rule of other days.
    #[error("it has the rule {id} of a fleet that is unknown here, by which objects are deleted after {days} days")]
    Stranger {
        /// Id of the rule.
        id: String,
        /// Its days.
        days: i32,
    },
    /// A rule cannot be written.
    #[error("its rule cannot be written: {0}")]
    Build(#[from] BuildError),
}

/// Id of the fleet's rule. By the name, not the uid: a fleet that is made again under its name finds its rule.
pub fn rule_id(fleet: &ClassifierFleet) -> String {
    format!("{PREFIX}{}.{}", fleet.namespace().unwrap_or_default(), fleet.name_any())
}

/// The rules as they should be, if they are not: the fleet's own rule `id` for `days`, or none, and all others as they are.
/// Fleets that share the bucket and are `known` have rules of their own.
///
/// # Errors
/// When a fleet that is not known deletes objects after another time: shared objects have one retention only.
pub fn revised(rules: &[LifecycleRule], id: &str, days: Option<i32>, known: &[String]) -> Result<Option<Vec<LifecycleRule>>, RuleError> {
    let (own, others): (Vec<&LifecycleRule>, Vec<&LifecycleRule>) = rules.iter().partition(|rule| rule.id() == Some(id));
    let stranger = others.iter().find_map(|rule| stranger(rule, days, known));
    if let Some((id, days)) = stranger {
        return Err(RuleError::Stranger { id, days });
    }
    let wanted = days.map(|days| rule(id, days)).transpose()?;
    let right = match (own.as_slice(), &wanted) {
        ([], None) => true,
        ([own], Some(wanted)) => own.status() == wanted.status() && expiration(own) == expiration(wanted) && is_for_all(own),
        _ => false,
    };
    Ok((!right).then(|| others.into_iter().cloned().chain(wanted).collect()))
}

fn stranger(rule: &LifecycleRule, days: Option<i32>, known: &[String]) -> Option<(String, i32)> {
    let id = rule.id().filter(|id| id.starts_with(PREFIX) && !known.iter().any(|known| known == id))?;
    let theirs = expiration(rule)?;
    (Some(theirs) != days).then(|| (id.to_owned(), theirs))
}

fn rule(id: &str, days: i32) -> Result<LifecycleRule, BuildError> {
    LifecycleRule::builder()
        .id(id)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().days(days).build())
        .status(ExpirationStatus::Enabled)
        .build()
}

fn expiration(rule: &LifecycleRule) -> Option<i32> {
    rule.expiration().and_then(LifecycleExpiration::days)
}

/// S3 may tell an empty prefix as no prefix, and that as no filter.
fn is_for_all(rule: &LifecycleRule) -> bool {
    rule.filter().is_none_or(|filter| {
        let LifecycleRuleFilter { prefix, tag, object_size_greater_than, object_size_less_than, and, .. } = filter;
        let sizes = object_size_greater_than.is_none() && object_size_less_than.is_none();
        prefix.as_deref().is_none_or(str::is_empty) && tag.is_none() && and.is_none() && sizes
    })
}
