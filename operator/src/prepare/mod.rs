//! Prepare: what a fleet needs before its workers make sense: queues, buckets, launch template, gateway. Made if missing, put
//! right if changed, and deleted with the fleet where it says so.

pub mod buckets;
mod clean_up;
mod fault;
pub mod gateway;
pub mod image;
mod inherited;
pub mod names;
pub mod owner;
pub mod queues;
mod template;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::clouds::Cloud;
use crate::context::Operator;
use crate::memory::Remembered;
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
    /// Name of the revision that it was prepared for: it changes without the spec when the image parameter does.
    pub revision: String,
    /// When it was prepared.
    pub at: Timestamp,
    /// How often in a row, the last time included, that did not succeed as a whole.
    pub failures: u32,
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

/// What was made is looked at again after this long: somebody may have changed it. That is for what no use of it and no watch
/// tells: missing queues show when they are sampled, missing launch templates at the launch, objects in the cluster by `drift`.
const KEPT: SignedDuration = SignedDuration::from_mins(10);
/// So many seconds later at most, each fleet at another time: those that were prepared together do not stay together.
const SPREAD_SECONDS: u64 = 300;
/// What failed is tried again after this long, twice as long after each further failure, and up to a minute: what is wrong with
/// one fleet, such as a role without a right, is often wrong with all.
const RETRY: SignedDuration = SignedDuration::from_secs(5);
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_secs(60);

impl Needs {
    /// Why nothing may be launched.
    pub fn no_launch(&self) -> Option<&Fault> {
        self.names.as_ref().err().or(self.template_version.as_ref().err())
    }

    /// All that is wrong, each fault once.
    fn faults(&self) -> impl Iterator<Item = &Fault> {
        let faults =
            [self.names.as_ref().err(), self.queues.as_ref().err(), self.buckets.as_ref().err(), self.template_version.as_ref().err()];
        let faults = faults.into_iter().chain([self.gateway.as_ref().err()]).flatten();
        faults.take(if self.names.is_err() { 1 } else { usize::MAX })
    }

    fn hold(&self, uid: &str, revision: &Revision, now: Timestamp) -> bool {
        let kept = match self.failures {
            0 => KEPT + spread(uid),
            failures => (RETRY * (1 << (failures - 1).min(4))).min(RETRY_AT_MOST),
        };
        self.revision == revision.name() && now.duration_since(self.at) < kept
    }

    fn were_well(&self, revision: &Revision) -> bool {
        self.failures == 0 && self.revision == revision.name()
    }

    /// Counts on from `before` if anything failed.
    fn counted(self, before: u32) -> Self {
        let failed = self.faults().next().is_some();
        Self { failures: if failed { before.saturating_add(1) } else { 0 }, ..self }
    }

    fn refused(generation: Option<i64>, revision: &Revision, at: Timestamp, fault: &Fault) -> Self {
        Self {
            generation,
            revision: revision.name().to_owned(),
            at,
            failures: 0,
            names: Err(fault.clone()),
            queues: Err(fault.clone()),
            buckets: Err(fault.clone()),
            template_version: Err(fault.clone()),
            gateway: Err(fault.clone()),
            known: Known::default(),
        }
    }
}

fn spread(uid: &str) -> SignedDuration {
    SignedDuration::from_secs((hash(uid) % SPREAD_SECONDS).cast_signed())
}

fn hash(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

/// What the fleet needs, made unless it is known, or its status says that it was well when this operator began. What was well is not
/// looked at again here, however long ago that was: no launch shall wait for that, see [`renew`].
pub async fn prepare(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, revision: &Revision, now: Timestamp) -> Needs {
    match known(operator, fleet, uid) {
        Some(needs) if needs.hold(uid, revision, now) || needs.were_well(revision) => needs,
        None => match inherit(operator, cloud, fleet, uid, revision, now).await {
            Some(needs) => needs,
            None => make(operator, cloud, fleet, uid, revision, None, now).await,
        },
        before => make(operator, cloud, fleet, uid, revision, before, now).await,
    }
}

/// What the operator before this one prepared, the first time that this one asks.
async fn inherit(
    operator: &Operator,
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    uid: &str,
    revision: &Revision,
    now: Timestamp,
) -> Option<Needs> {
    let knows_better = |remembered: &mut Remembered| remembered.prepared || remembered.disturbed > 0;
    let gateway = operator.gateways.get(&fleet.namespace().unwrap_or_default(), &gateway::name(fleet));
    if operator.memory.with(uid, knows_better) || gateway.is_none() {
        return None;
    }
    let needs = inherited::needs(cloud, fleet, uid, revision, operator.fleets.state().len(), now).await?;
    operator.memory.with(uid, |remembered| {
        remembered.needs = Some(needs.clone()).filter(|_| !knows_better(remembered));
        remembered.quiet_since = inherited::quiet_since(fleet);
    });
    Some(needs)
}

/// Looks again at what the fleet needs and puts it right, if it is time.
pub async fn renew(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, revision: &Revision, now: Timestamp) {
    let due = known(operator, fleet, uid).filter(|needs| !needs.hold(uid, revision, now));
    if due.is_some() {
        make(operator, cloud, fleet, uid, revision, due, now).await;
    }
}

fn known(operator: &Operator, fleet: &ClassifierFleet, uid: &str) -> Option<Needs> {
    let needs = operator.memory.with(uid, |remembered| remembered.needs.clone());
    needs.filter(|needs| needs.generation == fleet.metadata.generation)
}

async fn make(
    operator: &Operator,
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    uid: &str,
    revision: &Revision,
    before: Option<Needs>,
    now: Timestamp,
) -> Needs {
    let (disturbed, again) =
        operator.memory.with(uid, |remembered| (remembered.disturbed, std::mem::replace(&mut remembered.prepared, true)));
    let (failures, known) = before.as_ref().map(|needs| (needs.failures, needs.known.clone())).unwrap_or_default();
    let written = if again { None } else { inherited::written_version(fleet, revision) };
    let needs = afresh(operator, cloud, fleet, revision, known, written, now).await.counted(failures);
    for fault in needs.faults().filter(|fault| before.as_ref().is_none_or(|before| before.faults().all(|known| known != *fault))) {
        tracing::warn!(fleet = fleet.name_any(), namespace = fleet.namespace(), reason = fault.reason, "{}", fault.message);
    }
    operator.memory.with(uid, |remembered| remembered.needs = Some(needs.clone()).filter(|_| remembered.disturbed == disturbed));
    needs
}

async fn afresh(
    operator: &Operator,
    cloud: &Cloud,
    fleet: &ClassifierFleet,
    revision: &Revision,
    known: Known,
    written: Option<i64>,
    now: Timestamp,
) -> Needs {
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
        return Needs::refused(generation, revision, now, fault);
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
        async {
            match written {
                Some(version) => Ok(version),
                None => template::ensure(cloud, revision).await,
            }
        },
        gateway::ensure(operator, cloud, fleet),
    );
    let known = Known { urls: queues.clone().unwrap_or_default(), buckets };
    let queues = queues.map(|urls| urls.get(&fleet.spec.queues.request.name).cloned().unwrap_or_default());
    let revision = revision.name().to_owned();
    Needs { generation, revision, at: now, failures: 0, names: Ok(()), queues, buckets: made, template_version, gateway, known }
}

/// All fleets that this operator sees.
async fn fleets(operator: &Operator) -> Fleets {
    let default_region = operator.clouds.default_one().await.ok().map(|cloud| cloud.region.clone());
    Fleets { all: operator.fleets.state(), default_region }
}
