//! Prepare: what a fleet needs before its workers make sense: queues, buckets, launch template, gateway. Made if missing, put
//! right if changed, and deleted with the fleet where it says so.

pub mod buckets;
mod clean_up;
mod fault;
pub mod gateway;
pub mod image;
pub mod names;
pub mod owner;
pub mod queues;
mod template;

use std::collections::BTreeSet;

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};

use crate::clouds::Cloud;
use crate::context::Operator;
use crate::revision::Revision;

pub use clean_up::clean_up;
pub use fault::{Fault, NAME_IN_USE};

use names::Fleets;
use owner::Owner;
use queues::Urls;

/// What a fleet needs, as last prepared. Each need fails for itself: a gateway that cannot be made stops no scale-in.
#[derive(Debug, Clone)]
pub struct Needs {
    /// Generation of the spec that it was prepared for.
    pub generation: Option<i64>,
    /// When it was prepared.
    pub at: Timestamp,
    /// Whether no other fleet has the names that this one asks for. If one has, nothing is made, and this fault is all others' too.
    pub names: Result<(), Fault>,
    /// URL of the request queue.
    pub queues: Result<String, Fault>,
    /// The buckets.
    pub buckets: Result<(), Fault>,
    /// Version of the launch template for the fleet's revision.
    pub template_version: Result<i64, Fault>,
    /// The gateway: StatefulSet, Service and what they need.
    pub gateway: Result<(), Fault>,
    /// What need not be asked again.
    pub known: Known,
}

/// What was learned of queues and buckets and need not be asked again while the spec stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// URLs of queues that are the fleet's, or nobody's.
    pub urls: Urls,
    /// Buckets whose tags were read.
    pub buckets: BTreeSet<String>,
}

/// What was made is looked at again after this long: somebody may have deleted it.
const KEPT: SignedDuration = SignedDuration::from_secs(60);
/// What failed is tried again after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(5);

impl Needs {
    /// Why nothing may be launched.
    pub fn no_launch(&self) -> Option<&Fault> {
        self.names.as_ref().err().or(self.template_version.as_ref().err())
    }

    fn hold(&self, generation: Option<i64>, now: Timestamp) -> bool {
        let failed = self.no_launch().is_some() || self.queues.is_err() || self.buckets.is_err() || self.gateway.is_err();
        self.generation == generation && now.duration_since(self.at) < if failed { RETRY } else { KEPT }
    }

    fn refused(generation: Option<i64>, at: Timestamp, fault: &Fault) -> Self {
        Self {
            generation,
            at,
            names: Err(fault.clone()),
            queues: Err(fault.clone()),
            buckets: Err(fault.clone()),
            template_version: Err(fault.clone()),
            gateway: Err(fault.clone()),
            known: Known::default(),
        }
    }
}

/// Makes what the fleet needs, unless that was done a moment ago.
pub async fn prepare(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, revision: &Revision, now: Timestamp) -> Needs {
    let generation = fleet.metadata.generation;
    let before = operator.memory.with(uid, |remembered| remembered.needs.clone()).filter(|needs| needs.generation == generation);
    let known = match before {
        Some(needs) if needs.hold(generation, now) => return needs,
        Some(needs) => needs.known,
        None => Known::default(),
    };
    let needs = afresh(operator, cloud, fleet, revision, known, now).await;
    operator.memory.with(uid, |remembered| remembered.needs = Some(needs.clone()));
    needs
}

async fn afresh(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, revision: &Revision, known: Known, now: Timestamp) -> Needs {
    let generation = fleet.metadata.generation;
    let (owner, fleets) = (Owner::of(fleet, &operator.cluster), fleets(operator).await);
    let Known { urls, mut buckets } = known;
    let survey = match fleets.free(fleet) {
        Ok(()) => queues::survey(&cloud.sqs, &owner, fleet, urls, &operator.kube).await,
        Err(fault) => Err(fault),
    };
    if let Err(fault) = &survey
        && fault.reason == NAME_IN_USE
    {
        return Needs::refused(generation, now, fault);
    }
    let queues = async {
        match survey {
            Ok(survey) => queues::ensure(&cloud.sqs, &owner, fleet, survey).await,
            Err(fault) => Err(fault),
        }
    };
    let place = buckets::Place { s3: &cloud.s3, region: &cloud.region, owner: &owner, fleets: &fleets };
    let (queues, made, template_version, gateway) = tokio::join!(
        queues,
        place.ensure(fleet, &mut buckets, &operator.kube),
        template::ensure(cloud, revision),
        gateway::ensure(operator, cloud, fleet),
    );
    let known = Known { urls: queues.clone().unwrap_or_default(), buckets };
    let queues = queues.map(|urls| urls.get(&fleet.spec.queues.request.name).cloned().unwrap_or_default());
    Needs { generation, at: now, names: Ok(()), queues, buckets: made, template_version, gateway, known }
}

/// All fleets that this operator sees.
async fn fleets(operator: &Operator) -> Fleets {
    let default_region = operator.clouds.default_one().await.ok().map(|cloud| cloud.region.clone());
    Fleets { all: operator.fleets.state(), default_region }
}
