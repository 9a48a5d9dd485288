//! Which fleets ask for the same queues and buckets, and which of them has the better right: the older one. Pure.

use std::cmp::Ordering;
use std::sync::Arc;

use crds::ClassifierFleet;
use kube::ResourceExt as _;

use super::buckets::lifecycle::rule_id;
use super::fault::{Fault, NAME_IN_USE};

/// All fleets that are known, and what is needed to tell where each one's queues and buckets are.
pub struct Fleets {
    /// All that are known, this one too.
    pub all: Vec<Arc<ClassifierFleet>>,
    /// Region of fleets that name none.
    pub default_region: Option<String>,
}

/// What other fleets have to do with a bucket of this one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Lifecycle rules that belong to fleets that are known.
    pub rule_ids: Vec<String>,
    /// An older fleet's days of retention, if they differ, with its namespace and name.
    pub differs: Option<(Option<i32>, String)>,
}

impl Fleets {
    /// Whether `fleet` may use the queues that it names.
    ///
    /// # Errors
    /// When an older fleet in the same region uses one of them.
    pub fn free(&self, fleet: &ClassifierFleet) -> Result<(), Fault> {
        let older = self.others(fleet).filter(|other| is_older(other, fleet) && self.region(other) == self.region(fleet));
        let clash = older.filter_map(|other| Some((common_queue(other, fleet)?, other))).next();
        let Some((queue, other)) = clash else { return Ok(()) };
        let message = format!(
            "The queue {queue} is used by the older fleet {} already: apply this fleet with other names in spec.queues, or delete that one. Nothing was made \
             for this fleet.",
            path(other)
        );
        Err(Fault { reason: NAME_IN_USE, message })
    }

    /// What other fleets have to do with `bucket`. Sharing it is well: images and results are kept under ids that are unique.
    pub fn sharing(&self, fleet: &ClassifierFleet, bucket: &str) -> Sharing {
        let mut sharing = Sharing::default();
        for other in self.others(fleet).filter(|other| names_bucket(other, bucket)) {
            let days = other.spec.storage.retention_days;
            sharing.rule_ids.push(rule_id(other));
            if days != fleet.spec.storage.retention_days && is_older(other, fleet) {
                sharing.differs.get_or_insert((days, path(other)));
            }
        }
        sharing
    }

    /// Another fleet that keeps its images or results in `bucket`.
    pub fn user_of(&self, bucket: &str, fleet: &ClassifierFleet) -> Option<String> {
        self.others(fleet).find(|other| names_bucket(other, bucket)).map(path)
    }

    /// Fleets that reach the same AWS.
    fn others<'a>(&'a self, fleet: &'a ClassifierFleet) -> impl Iterator<Item = &'a ClassifierFleet> {
        let others = self.all.iter().map(AsRef::as_ref);
        others.filter(|other| other.metadata.uid != fleet.metadata.uid && endpoint(other) == endpoint(fleet))
    }

    fn region<'a>(&'a self, fleet: &'a ClassifierFleet) -> Option<&'a str> {
        fleet.spec.region.as_deref().or(self.default_region.as_deref())
    }
}

fn endpoint(fleet: &ClassifierFleet) -> Option<&str> {
    fleet.spec.endpoint_url.as_deref().map(|url| url.trim_end_matches('/'))
}

fn path(fleet: &ClassifierFleet) -> String {
    format!("{}/{}", fleet.namespace().unwrap_or_default(), fleet.name_any())
}

fn names_bucket(fleet: &ClassifierFleet, bucket: &str) -> bool {
    let storage = &fleet.spec.storage;
    storage.input_bucket == bucket || storage.output_bucket == bucket
}

fn is_older(one: &ClassifierFleet, other: &ClassifierFleet) -> bool {
    let age = |fleet: &ClassifierFleet| fleet.metadata.creation_timestamp.as_ref().map(|time| time.0);
    age(one).cmp(&age(other)).then_with(|| one.metadata.uid.cmp(&other.metadata.uid)) == Ordering::Less
}

/// A queue that both would use, in whatever role. Reply queues are all that gateways could ever have, now or with more replicas.
fn common_queue(one: &ClassifierFleet, other: &ClassifierFleet) -> Option<String> {
    let (a, b) = (&one.spec.queues, &other.spec.queues);
    let (jobs_a, jobs_b) = ([a.request.name.clone(), a.dead_letter_name()], [b.request.name.clone(), b.dead_letter_name()]);
    let same = jobs_a.iter().find(|name| jobs_b.contains(name));
    let replies =
        jobs_a.iter().find(|name| is_reply(&b.response.name, name)).or(jobs_b.iter().find(|name| is_reply(&a.response.name, name)));
    let reply = || (a.response.name == b.response.name).then(|| a.reply_name(0));
    same.or(replies).cloned().or_else(reply)
}

/// Whether `name` is what a gateway replica's reply queue is called.
pub(super) fn is_reply(response: &str, name: &str) -> bool {
    let ordinal = name.strip_prefix(response).and_then(|rest| rest.strip_prefix('-'));
    ordinal.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
