//! How many jobs lie in a fleet's dead-letter queue: for those who watch, no decision depends on it.

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::queue;
use crate::clouds::Cloud;
use crate::context::Operator;
use crate::metrics::Labels;
use crate::prepare::Needs;

/// Between two looks. One call to SQS each.
const EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Looks, if it is time. A look that fails is logged, and the number stays what it was.
pub async fn watch(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, needs: &Needs, now: Timestamp) {
    let Some(url) = needs.known.urls.get(&fleet.spec.queues.dead_letter_name()) else { return };
    let due = operator.memory.with(uid, |remembered| {
        let due = remembered.dead_letters_at.is_none_or(|at| now.duration_since(at) >= EVERY);
        if due {
            remembered.dead_letters_at = Some(now);
        }
        due
    });
    if !due {
        return;
    }
    match queue::sample(&cloud.sqs, url, false).await {
        #[allow(clippy::cast_precision_loss)] // SQS counts far below 2⁵³
        Ok(depth) => {
            let messages = (depth.visible + depth.in_flight + depth.delayed) as f64;
            operator.metrics.fleets.dead_letters.with_label_values(&Labels::of(fleet).values()).set(messages);
        }
        Err(error) => {
            tracing::warn!(fleet = fleet.name_any(), namespace = fleet.namespace(), %error, "the dead-letter queue cannot be sampled")
        }
    }
}
