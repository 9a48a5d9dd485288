//! The metrics of a fleet after a reconcile.

use jiff::Timestamp;
use plan::{Census, Plan, Reason};
use prometheus::GaugeVec;

use crate::act::{News, Outcome};
use crate::metrics::{BOOT_KINDS, Labels, Metrics};
use crate::observe::Observation;

/// Sets what is and counts what happened.
pub fn tell(metrics: &Metrics, outcome: &Outcome, observation: &Observation, plan: &Plan, now: Timestamp, done: Timestamp) {
    let (fleet, fleets) = (Labels::of(&outcome.fleet), &metrics.fleets);
    metrics.begin(&fleet);
    if let Some(Ok((depth, _))) = &observation.sample {
        #[allow(clippy::cast_precision_loss)] // SQS counts far below 2⁵³
        let counts =
            [("visible", depth.visible), ("in_flight", depth.in_flight), ("delayed", depth.delayed)].map(|(state, n)| (state, n as f64));
        counts.into_iter().for_each(|(state, count)| fleets.queue_messages.with_label_values(&fleet.and(state)).set(count));
    }
    for (state, count) in states(&plan.census) {
        fleets.workers.with_label_values(&fleet.and(state)).set(f64::from(count));
    }
    let set = |gauge: &GaugeVec, value: f64| gauge.with_label_values(&fleet.values()).set(value);
    set(&fleets.desired, f64::from(plan.desired));
    set(&fleets.max, f64::from(outcome.fleet.spec.workers.max));
    #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are below 2⁵³
    set(&fleets.reconciled, now.as_millisecond() as f64 / 1000.0);
    if let Some(usd) = observation.cost.usd_per_hour {
        set(&fleets.cost_per_hour, usd);
        let counted = fleets.cost.with_label_values(&fleet.values());
        counted.inc_by((observation.cost.usd_total - counted.get()).max(0.0));
    }
    for status in &outcome.offerings {
        let offering = crate::offerings::to_plan(&status.offering);
        let closed = status.unavailable_until.as_ref().is_some_and(|until| until.0 > now);
        fleets.offering_closed.with_label_values(&fleet.and_offering(&offering)).set(f64::from(u8::from(closed)));
    }
    for boot in &observation.boots {
        fleets.boots.with_label_values(&fleet.and(BOOT_KINDS[usize::from(boot.warm)])).observe(boot.seconds);
    }
    outcome.news.iter().for_each(|news| count(metrics, &fleet, news));
    reaction(metrics, &fleet, outcome, observation, done);
}

fn states(census: &Census) -> [(&'static str, u32); 5] {
    [
        ("ready", census.ready),
        ("starting", census.booting + census.coming),
        ("draining", census.draining),
        ("outdated", census.outdated),
        ("stopped", census.stopped + census.stopping),
    ]
}

/// From nothing to the first launch: how long the upload that asked for it had waited.
fn reaction(metrics: &Metrics, fleet: &Labels, outcome: &Outcome, observation: &Observation, done: Timestamp) {
    let launched = outcome.news.iter().any(|news| matches!(news, News::Launched(..) | News::Started(_)));
    if let (true, Some(oldest), 0) = (launched, observation.observed.waiting.oldest, observation.observed.desired) {
        let seconds = done.duration_since(oldest).as_secs_f64();
        metrics.reaction.with_label_values(&fleet.values()).observe(seconds.max(0.0));
    }
}

fn count(metrics: &Metrics, fleet: &Labels, news: &News) {
    let metrics = &metrics.fleets;
    let number = |ids: &[String]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
    match news {
        News::Launched(_, ids) => metrics.launched.with_label_values(&fleet.and("launch")).inc_by(number(ids)),
        News::Started(ids) => metrics.launched.with_label_values(&fleet.and("start")).inc_by(number(ids)),
        News::Draining(ids) => metrics.removed.with_label_values(&fleet.and("drain")).inc_by(number(ids)),
        News::GivenUp(ids) => metrics.removed.with_label_values(&fleet.and("boot_timeout")).inc_by(number(ids)),
        News::Terminated(ended) => {
            let reason = match ended.reason {
                // Counted when it was given up.
                Reason::BootTimeout => return,
                Reason::DrainDeadline => "drain_deadline",
                Reason::NotReusable => "not_reusable",
                Reason::PoolFull => "pool_full",
                Reason::PoolIdle => "pool_idle",
                Reason::Deleting => "deleting",
            };
            metrics.removed.with_label_values(&fleet.and(reason)).inc();
        }
        News::Restarted(..) => metrics.restarts.with_label_values(&fleet.values()).inc(),
        News::LaunchFailed { code, .. } | News::OfferingClosed { code, .. } => {
            metrics.launch_failures.with_label_values(&fleet.and(code)).inc();
        }
    }
}
