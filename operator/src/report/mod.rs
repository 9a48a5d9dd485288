//! Report: status, events and metrics of one reconcile.

mod conditions;
mod events;
mod metrics;
mod status;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::PostParams;
use plan::Plan;

use crate::act::Outcome;
use crate::context::Operator;
use crate::observe::Observation;
use crate::prepare::{Needs, gateway};
use crate::reconcile::Error;
use crate::revision::Revision;

/// Tells what was decided and done. The status is written only when more than a time in it changed: each write is a
/// watch event, and would start the next reconcile.
#[allow(clippy::too_many_arguments)] // one for each stage
pub async fn report(
    operator: &Operator,
    uid: &str,
    outcome: Outcome,
    revision: &Revision,
    needs: Option<&Needs>,
    observation: &Observation,
    plan: &Plan,
    now: Timestamp,
) -> Result<(), Error> {
    let gateway = operator.gateways.get(&outcome.fleet.namespace().unwrap_or_default(), &gateway::name(&outcome.fleet));
    let gateway = gateway.filter(|set| set.owner_references().iter().any(|owner| owner.uid == uid));
    let blocked = operator.memory.with(uid, |remembered| remembered.refusal.clone()).map(|refusal| refusal.message);
    let facts = conditions::Facts { needs, gateway: gateway.as_deref(), observation, plan, now, blocked };
    let before = outcome.fleet.status.clone().unwrap_or_default();
    let after = status::status(&outcome, revision, &facts, now);
    events::publish(operator, &outcome, &before, plan).await;
    metrics::tell(&operator.metrics, &outcome, observation, plan, now, operator.clock.now());
    if status::without_times(&before) == status::without_times(&after) {
        return Ok(());
    }
    let mut fleet = outcome.fleet;
    fleet.status = Some(after);
    let written = operator.api(&fleet).replace_status(&fleet.name_any(), &PostParams::default(), &fleet).await;
    let written = written.map_err(Error::Status)?;
    operator.memory.with(uid, |remembered| remembered.wrote(written));
    Ok(())
}
