//! What Prometheus sees of each fleet, as the operator knows it.

use std::collections::HashMap;

use crds::ClassifierFleet;
use kube::ResourceExt as _;
use prometheus::core::{Collector as _, MetricVec, MetricVecBuilder};
use prometheus::{CounterVec, GaugeVec, HistogramVec, IntCounterVec, Result};
use service::metrics::Catalogue;

/// What tells fleets apart.
pub(super) const LABELS: [&str; 2] = ["namespace", "fleet"];

/// From a warm start to a machine that is given up, in seconds.
const BOOT: [f64; 13] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0, 600.0];

/// How workers come: launched, or started again.
pub const BOOT_KINDS: [&str; 2] = ["cold", "warm"];

/// What instances were launched for.
const ACTIONS: [&str; 2] = ["launch", "start"];

/// The metrics of fleets.
#[derive(Clone)]
pub struct FleetMetrics {
    /// Messages in the request queue, by state.
    pub queue_messages: GaugeVec,
    /// Messages in the dead-letter queue.
    pub dead_letters: GaugeVec,
    /// Workers, by state.
    pub workers: GaugeVec,
    /// Workers wanted.
    pub desired: GaugeVec,
    /// Workers allowed.
    pub max: GaugeVec,
    /// When the last reconcile that succeeded ended, in seconds since 1970.
    pub reconciled: GaugeVec,
    /// Instances launched, by action.
    pub launched: IntCounterVec,
    /// Launches that failed, by EC2's code.
    pub launch_failures: IntCounterVec,
    /// Instances drained or terminated, by reason.
    pub removed: IntCounterVec,
    /// Times that workers were started again.
    pub restarts: IntCounterVec,
    /// Seconds from launch to ready, by kind.
    pub boots: HistogramVec,
    /// 1 while an offering is closed.
    pub offering_closed: GaugeVec,
    /// US dollars that the instances cost each hour.
    pub cost_per_hour: GaugeVec,
    /// US dollars that the instances have cost.
    pub cost: CounterVec,
}

/// Namespace and name of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    namespace: String,
    name: String,
}

impl Labels {
    /// Of `fleet`.
    pub fn of(fleet: &ClassifierFleet) -> Self {
        Self { namespace: fleet.namespace().unwrap_or_default(), name: fleet.name_any() }
    }

    /// As label values.
    pub fn values(&self) -> [&str; 2] {
        [&self.namespace, &self.name]
    }

    /// As label values, with one more.
    pub fn and<'a>(&'a self, value: &'a str) -> [&'a str; 3] {
        [&self.namespace, &self.name, value]
    }

    /// As label values, with those of an offering.
    pub fn and_offering<'a>(&'a self, offering: &'a plan::Offering) -> [&'a str; 5] {
        let subnet = offering.subnet_id.as_deref().unwrap_or("default");
        [&self.namespace, &self.name, &offering.instance_type, subnet, capacity_type(offering.spot)]
    }
}

/// As label value.
pub fn capacity_type(spot: bool) -> &'static str {
    if spot { "spot" } else { "on-demand" }
}

impl FleetMetrics {
    pub(super) fn make(all: &mut Catalogue) -> Result<Self> {
        let with = |label| [LABELS[0], LABELS[1], label];
        let offering = ["namespace", "fleet", "instance_type", "subnet", "capacity_type"];
        let closed = "1 while nothing is launched in an offering because EC2 refused it.";
        let (reconciled, boots) = (
            "When the last reconcile that succeeded ended, since 1970.",
            "Time from the launch, or the start of a stopped worker, to ready.",
        );
        let (cost_per_hour, cost) = (
            "US dollars that the running instances cost each hour, by the operator's price file.",
            "US dollars that the instances have cost since the operator started: by the second, a minute at least.",
        );
        Ok(Self {
            queue_messages: all.gauges(
                "classifierfleet_queue_messages",
                "Messages in the request queue, as SQS counts them.",
                &with("state"),
            )?,
            dead_letters: all.gauges(
                "classifierfleet_dead_letter_messages",
                "Messages in the dead-letter queue, once a minute.",
                &LABELS,
            )?,
            workers: all.gauges("classifierfleet_workers", "EC2 workers of the fleet.", &with("state"))?,
            desired: all.gauges("classifierfleet_desired_workers", "EC2 workers that the fleet should have.", &LABELS)?,
            max: all.gauges("classifierfleet_max_workers", "EC2 workers that the fleet may have: spec.workers.max.", &LABELS)?,
            reconciled: all.gauges("classifierfleet_last_reconcile_timestamp_seconds", reconciled, &LABELS)?,
            launched: all.int_counters(
                "classifierfleet_launched_instances_total",
                "Instances launched, or started again.",
                &with("action"),
            )?,
            launch_failures: all.int_counters(
                "classifierfleet_launch_failures_total",
                "Launches that EC2 refused or did not answer, by EC2's code.",
                &with("code"),
            )?,
            removed: all.int_counters(
                "classifierfleet_removed_instances_total",
                "Instances told to drain, or terminated.",
                &with("reason"),
            )?,
            restarts: all.int_counters(
                "classifierfleet_restarted_workers_total",
                "Workers that ended unasked and were started again.",
                &LABELS,
            )?,
            boots: all.histograms("classifierfleet_boot_duration_seconds", boots, &with("kind"), &BOOT)?,
            offering_closed: all.gauges("classifierfleet_offering_closed", closed, &offering)?,
            cost_per_hour: all.gauges("classifierfleet_instance_cost_usd_per_hour", cost_per_hour, &LABELS)?,
            cost: all.counters("classifierfleet_instance_cost_usd_total", cost, &LABELS)?,
        })
    }

    /// What did not happen yet is 0.
    pub(super) fn begin(&self, fleet: &Labels) {
        for action in ACTIONS {
            self.launched.with_label_values(&fleet.and(action));
        }
        self.removed.with_label_values(&fleet.and("drain"));
        self.restarts.with_label_values(&fleet.values());
        for kind in BOOT_KINDS {
            self.boots.with_label_values(&fleet.and(kind));
        }
    }

    /// Forgets what is, of a fleet that is gone. What was counted stays.
    pub(super) fn forget(&self, fleet: &Labels) {
        for gauges in self.gauges() {
            forget(gauges, fleet);
        }
        // A fleet of the same name begins anew, as the bills of its instances do.
        self.cost.remove_label_values(&fleet.values()).ok();
    }

    /// Forgets what is, of all fleets: another operator keeps them.
    pub fn forget_all(&self) {
        for gauges in self.gauges() {
            gauges.reset();
        }
    }

    fn gauges(&self) -> [&GaugeVec; 8] {
        let Self { queue_messages, dead_letters, workers, desired, max, reconciled, offering_closed, cost_per_hour, .. } = self;
        [queue_messages, dead_letters, workers, desired, max, reconciled, offering_closed, cost_per_hour]
    }
}

/// Removes all of a fleet's series, whatever other labels they have.
fn forget<T: MetricVecBuilder>(vec: &MetricVec<T>, fleet: &Labels) {
    let families = vec.collect();
    let series = families.iter().flat_map(|family| family.get_metric());
    for labels in series.map(|metric| metric.get_label()) {
        let labels: HashMap<&str, &str> = labels.iter().map(|pair| (pair.name(), pair.value())).collect();
        if (labels.get("namespace"), labels.get("fleet")) == (Some(&fleet.namespace.as_str()), Some(&fleet.name.as_str())) {
            vec.remove(&labels).ok();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn only_the_gauges_of_the_fleet_are_forgotten() {
        let registry = Registry::new();
        let metrics = FleetMetrics::make(&mut Catalogue::new(&registry, &[])).unwrap();
        let fleets = ["a", "b"].map(|name| Labels { namespace: "default".to_owned(), name: name.to_owned() });
        for fleet in &fleets {
            metrics.begin(fleet);
            metrics.workers.with_label_values(&fleet.and("ready")).set(1.0);
            metrics.desired.with_label_values(&fleet.values()).set(1.0);
        }
        let count =
            |name: &str| registry.gather().iter().find(|family| family.name() == name).map_or(0, |family| family.get_metric().len());
        metrics.forget(&fleets[0]);
        assert_eq!((count("classifierfleet_workers"), count("classifierfleet_desired_workers")), (1, 1));
        assert_eq!(count("classifierfleet_restarted_workers_total"), 2, "what was counted stays");
        metrics.forget_all();
        assert_eq!(count("classifierfleet_workers"), 0);
    }
}
