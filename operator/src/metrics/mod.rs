//! What Prometheus sees of the operator: itself here (`classifierfleet_operator_…`), each fleet in `fleets` (`classifierfleet_…`).

mod fleets;

use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry, Result};
use service::metrics::Catalogue;

use crate::reconcile::Error;

pub use fleets::{BOOT_KINDS, FleetMetrics, Labels, capacity_type};

/// From a queue that answers at once to a reconcile that is given up, in seconds.
const RECONCILE: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 120.0];
/// From a call that need not wait to one behind a thousand others, in seconds.
const WAIT: [f64; 8] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0];
/// From a wake by the gateway to a poll of a quiet queue, in seconds.
const REACTION: [f64; 10] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// The operator's metrics.
#[derive(Clone)]
pub struct Metrics {
    /// Of each fleet.
    pub fleets: FleetMetrics,
    /// 1 while this operator leads.
    pub leading: IntGauge,
    /// Seconds a reconcile took, by outcome.
    pub reconciles: HistogramVec,
    /// Failed reconciles, by stage.
    pub reconcile_failures: IntCounterVec,
    /// Failed lists of instances, by region and EC2's code.
    pub inventory_failures: IntCounterVec,
    /// Instances last listed, by region.
    pub inventory_instances: IntGaugeVec,
    /// Calls to EC2, by region, action and outcome.
    pub ec2_calls: IntCounterVec,
    /// Seconds that calls to EC2 waited so as to keep its pace, by region and action.
    pub ec2_waits: HistogramVec,
    /// Instances terminated whose fleet no longer exists, by region.
    pub orphans: IntCounterVec,
    /// Seconds from a sign of work to the launch call.
    pub reaction: HistogramVec,
}

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &Registry) -> Result<Self> {
        let metrics = Self::make(&mut Catalogue::new(registry, &[]))?;
        for stage in Error::STAGES {
            metrics.reconcile_failures.with_label_values(&[stage]);
        }
        Ok(metrics)
    }

    fn make(all: &mut Catalogue) -> Result<Self> {
        Ok(Self {
            fleets: FleetMetrics::make(all)?,
            leading: all.int_gauge("classifierfleet_operator_leading", "1 while this operator leads, 0 while it waits to.")?,
            reconciles: all.histograms(
                "classifierfleet_operator_reconcile_duration_seconds",
                "Time that a reconcile took.",
                &["outcome"],
                &RECONCILE,
            )?,
            reconcile_failures: all.int_counters(
                "classifierfleet_operator_reconcile_failures_total",
                "Reconciles that failed, by the stage that did.",
                &["stage"],
            )?,
            inventory_failures: all.int_counters(
                "classifierfleet_operator_inventory_failures_total",
                "Lists of instances that failed, by EC2's code.",
                &["region", "code"],
            )?,
            inventory_instances: all.int_gauges(
                "classifierfleet_operator_inventory_instances",
                "Instances that EC2 last listed, of all fleets.",
                &["region"],
            )?,
            ec2_calls: all.int_counters("classifierfleet_operator_ec2_calls_total", "Calls to EC2.", &["region", "action", "outcome"])?,
            ec2_waits: all.histograms(
                "classifierfleet_operator_ec2_wait_seconds",
                "Time that calls to EC2 waited so as to keep within its limits.",
                &["region", "action"],
                &WAIT,
            )?,
            orphans: all.int_counters(
                "classifierfleet_operator_orphans_terminated_total",
                "Instances terminated because their fleet no longer exists.",
                &["region"],
            )?,
            reaction: all.histograms(
                "classifierfleet_operator_reaction_seconds",
                "Time from the upload that a gateway told of to the launch that followed.",
                &fleets::LABELS,
                &REACTION,
            )?,
        })
    }

    /// A fleet is kept from now on: what did not happen yet is 0, so that the first time is seen as an increase.
    pub fn begin(&self, fleet: &Labels) {
        self.fleets.begin(fleet);
        self.reaction.with_label_values(&fleet.values());
    }

    /// Forgets what is, of a fleet that is gone. What was counted stays.
    pub fn forget(&self, fleet: &Labels) {
        self.fleets.forget(fleet);
        self.reaction.remove_label_values(&fleet.values()).ok();
    }

    /// A region is watched from now on: what did not happen there yet is 0, so that the first time is seen as an increase.
    pub fn begin_region(&self, region: &str) {
        self.orphans.with_label_values(&[region]);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prometheus::Registry;
    use service::metrics::{Catalogue, page_has};

    use super::Metrics;

    #[test]
    fn the_page_lists_them() {
        let mut all = Catalogue::new(&Registry::new(), &[]);
        Metrics::make(&mut all).unwrap();
        // Cargo runs tests in the folder of their crate.
        let page = "../docs/metrics.md";
        let kept = page_has(page.as_ref(), &all.section("Operator")).unwrap();
        assert!(kept, "docs/metrics.md differs: UPDATE_DOCS=1 cargo test --lib the_page_lists_them");
    }
}
