//! Report: status, events and metrics of one reconcile.

mod conditions;
mod events;
mod status;

use jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::PostParams;
use plan::Plan;

use crate::act::{News, Outcome};
use crate::context::Operator;
use crate::metrics::offering_labels;
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
    metrics(operator, &outcome, observation, plan, now);
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

fn metrics(operator: &Operator, outcome: &Outcome, observation: &Observation, plan: &Plan, now: Timestamp) {
    let (namespace, name) = (outcome.fleet.namespace().unwrap_or_default(), outcome.fleet.name_any());
    let set =
        |gauge: &prometheus::GaugeVec, state: &str, value: f64| gauge.with_label_values(&[namespace.as_str(), &name, state]).set(value);
    if let Some(Ok((depth, _))) = &observation.sample {
        #[allow(clippy::cast_precision_loss)] // SQS counts far below 2⁵³
        for (state, count) in [("visible", depth.visible), ("in_flight", depth.in_flight), ("delayed", depth.delayed)] {
            set(&operator.metrics.queue_messages, state, count as f64);
        }
    }
    let census = plan.census;
    for (state, count) in [
        ("ready", census.ready),
        ("starting", census.booting + census.coming),
        ("draining", census.draining),
        ("outdated", census.outdated),
        ("stopped", census.stopped + census.stopping),
    ] {
        set(&operator.metrics.workers, state, f64::from(count));
    }
    operator.metrics.desired.with_label_values(&[namespace.as_str(), &name]).set(f64::from(plan.desired));
    for status in &outcome.offerings {
        let offering = crate::offerings::to_plan(&status.offering);
        let closed = status.unavailable_until.as_ref().is_some_and(|until| until.0 > now);
        let labels = offering_labels(&namespace, &name, &offering);
        operator.metrics.offering_closed.with_label_values(&labels).set(f64::from(u8::from(closed)));
    }
    let launched = outcome.news.iter().any(|news| matches!(news, News::Launched(..) | News::Started(_)));
    if let (true, Some(oldest), 0) = (launched, observation.observed.waiting.oldest, observation.observed.desired) {
        let seconds = Timestamp::now().duration_since(oldest).as_secs_f64();
        operator.metrics.reaction.with_label_values(&[namespace.as_str(), &name]).observe(seconds.max(0.0));
    }
}
