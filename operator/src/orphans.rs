//! Instances whose fleet no longer exists: they cost money and serve nobody, and are terminated.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use crds::ClassifierFleet;
use ec2::{InstanceState, tags};
use jiff::{SignedDuration, Timestamp};
use kube::api::ListParams;
use tokio_util::sync::CancellationToken;

use crate::clouds::Cloud;
use crate::context::Operator;
use crate::leader::Leading;
use crate::observe::inventory::Snapshot;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(30);
/// An instance younger than this may belong to a fleet that the list of fleets does not show yet.
const OLD_ENOUGH: SignedDuration = SignedDuration::from_secs(30);
/// Fleets in one page of a list.
const PAGE: u32 = 500;

/// Looks for orphans whenever this operator leads, until `stop`.
pub async fn run(operator: Arc<Operator>, leading: Leading, stop: CancellationToken) {
    // Fleets that are all gone leave nothing that would make their region known.
    if let Err(error) = operator.clouds.default_one().await {
        tracing::info!(%error, "orphans are looked for only in the regions that fleets name");
    }
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if !*leading.borrow() {
            continue;
        }
        for cloud in operator.clouds.all().await {
            if let Err(error) = collect(&operator, &cloud).await {
                tracing::warn!(region = cloud.region, %error, "orphans cannot be looked for, trying again");
            }
        }
    }
}

/// EC2 was listed before the cluster: a fleet that launched an instance in that list existed by then, so that one which the
/// cluster does not list is gone.
async fn collect(operator: &Operator, cloud: &Cloud) -> anyhow::Result<()> {
    let Some(snapshot) = cloud.inventory.latest() else { return Ok(()) };
    let among = |uids: &HashSet<String>| orphans(&snapshot, uids, |namespace| operator.scope.covers(namespace), operator.clock.now());
    // The watch may lag, so it cannot tell that a fleet is gone; but while it knows all fleets, nobody need be asked.
    let watched = operator.fleets.state().iter().filter_map(|fleet| fleet.metadata.uid.clone()).collect();
    if among(&watched).is_empty() {
        return Ok(());
    }
    let ids = among(&uids(operator).await?);
    if ids.is_empty() {
        return Ok(());
    }
    tracing::warn!(region = cloud.region, instances = ids.join(","), "terminating instances of fleets that no longer exist");
    cloud.ec2.terminate_instances(&ids).await?;
    operator.metrics.orphans.with_label_values(&[cloud.region.as_str()]).inc_by(u64::try_from(ids.len()).unwrap_or(u64::MAX));
    cloud.inventory.hurry();
    Ok(())
}

/// Uids of all fleets, as the API server has them now.
async fn uids(operator: &Operator) -> kube::Result<HashSet<String>> {
    let mut uids = HashSet::new();
    for api in operator.scope.apis::<ClassifierFleet>(&operator.kube) {
        let mut page = ListParams::default().limit(PAGE);
        loop {
            let list = api.list_metadata(&page).await?;
            uids.extend(list.items.iter().filter_map(kube::ResourceExt::uid));
            match list.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => break,
            }
        }
    }
    Ok(uids)
}

/// Ids of the instances in `snapshot` whose fleet is none of `uids`. Pure.
pub fn orphans(snapshot: &Snapshot, uids: &HashSet<String>, covers: impl Fn(&str) -> bool, now: Timestamp) -> Vec<String> {
    let strangers = snapshot.by_fleet.iter().filter(|(uid, _)| !uids.contains(*uid)).flat_map(|(_, instances)| instances);
    let is_orphan = |instance: &&ec2::Instance| {
        let gone = matches!(instance.state, InstanceState::ShuttingDown | InstanceState::Terminated);
        let ours = instance.tag(tags::NAMESPACE).is_some_and(&covers);
        !gone && ours && now.duration_since(instance.launched_at) > OLD_ENOUGH
    };
    let mut ids: Vec<String> = strangers.filter(is_orphan).map(|instance| instance.id.clone()).collect();
    ids.sort();
    ids
}
