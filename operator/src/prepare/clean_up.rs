//! What goes with a fleet besides its instances: what the operator made for it, where its spec says so.

use crds::{ClassifierFleet, Deletion, DeletionPolicy};

use super::buckets::{BATCHES, Place};
use super::owner::Owner;
use super::{Fault, fleets, gateway, queues};
use crate::clouds::Cloud;
use crate::context::Operator;

/// Deletes the queues and buckets that were made for `fleet`, where its deletion policies say so. May be called again until it
/// succeeds; each call does a bounded piece.
///
/// # Errors
/// `CleaningUp` while there is more to do; others when something stands against it.
pub async fn clean_up(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet) -> Result<(), Fault> {
    let Deletion { queues: jobs, buckets } = fleet.spec.deletion;
    if jobs == DeletionPolicy::Retain && buckets == DeletionPolicy::Retain {
        return Ok(());
    }
    // Otherwise it would go on to take images that nothing is left for.
    gateway::remove(operator, fleet).await?;
    let owner = Owner::of(fleet, &operator.cluster);
    if jobs == DeletionPolicy::Delete {
        queues::delete(&cloud.sqs, &owner, &fleet.spec.queues).await?;
    }
    if buckets == DeletionPolicy::Delete {
        let fleets = fleets(operator).await;
        let place = Place { s3: &cloud.s3, region: &cloud.region, owner: &owner, fleets: &fleets };
        place.delete(fleet, BATCHES).await?;
    }
    Ok(())
}
