//! Prepare: what a fleet needs before its workers make sense: queues, buckets, launch template, gateway. Made if missing.

mod buckets;
pub mod gateway;
mod queues;

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};

use crate::context::Operator;
use crate::revision::Revision;

/// What a fleet needs, as last prepared. Each need fails for itself: a gateway that cannot be made stops no scale-in.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Generation of the spec that it was prepared for.
    pub generation: Option<i64>,
    /// When it was prepared.
    pub at: Timestamp,
    /// URL of the request queue.
    pub queues: Result<String, Fault>,
    /// The buckets.
    pub buckets: Result<(), Fault>,
    /// Version of the launch template for the fleet's revision.
    pub template_version: Result<i64, Fault>,
    /// The gateway's StatefulSet and Service.
    pub gateway: Result<(), Fault>,
}

/// What is wrong with a need: a reason for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One word, for a condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// What was made is looked at again after this long: somebody may have deleted it.
const KEPT: SignedDuration = SignedDuration::from_secs(60);
/// What failed is tried again after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(5);

impl Needs {
    fn hold(&self, generation: Option<i64>, now: Timestamp) -> bool {
        let failed = self.queues.is_err() || self.buckets.is_err() || self.template_version.is_err() || self.gateway.is_err();
        self.generation == generation && now.duration_since(self.at) < if failed { RETRY } else { KEPT }
    }
}

/// Makes what the fleet needs, unless that was done a moment ago.
pub async fn prepare(operator: &Operator, fleet: &ClassifierFleet, uid: &str, revision: &Revision, now: Timestamp) -> Needs {
    let generation = fleet.metadata.generation;
    let known = operator.memory.with(uid, |remembered| remembered.needs.clone()).filter(|needs| needs.hold(generation, now));
    if let Some(needs) = known {
        return needs;
    }
    let (queues, buckets, template_version, gateway) = tokio::join!(
        queues::ensure(&operator.sqs, fleet),
        buckets::ensure(&operator.s3, &operator.region, fleet),
        template(operator, revision),
        gateway::ensure(operator, fleet),
    );
    let needs = Needs { generation, at: now, queues, buckets, template_version, gateway };
    operator.memory.with(uid, |remembered| remembered.needs = Some(needs.clone()));
    needs
}

async fn template(operator: &Operator, revision: &Revision) -> Result<i64, Fault> {
    let made = operator.ec2.ensure_template(&revision.template, &revision.version).await;
    made.map_err(|error| Fault { reason: "LaunchTemplateRefused", message: error.to_string() })
}
