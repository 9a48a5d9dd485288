//! What Prometheus sees of the operator.

use crds::ClassifierFleet;
use kube::ResourceExt as _;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, histogram_opts};

/// The operator's metrics.
#[derive(Clone)]
pub struct Metrics {
    /// Messages in the request queue, by state.
    pub queue_messages: GaugeVec,
    /// Workers, by state.
    pub workers: GaugeVec,
    /// Workers wanted.
    pub desired: GaugeVec,
    /// Instances launched.
    pub launched: IntCounterVec,
    /// Launches that failed, by EC2's code.
    pub launch_failures: IntCounterVec,
    /// Instances drained or terminated, by reason.
    pub removed: IntCounterVec,
    /// Seconds a reconcile took, by outcome.
    pub reconciles: HistogramVec,
    /// Failed reconciles, by stage.
    pub reconcile_failures: IntCounterVec,
    /// Failed lists of instances, by EC2's code.
    pub inventory_failures: IntCounterVec,
    /// Instances last listed.
    pub inventory_instances: IntGauge,
}

const FLEET: [&str; 2] = ["namespace", "fleet"];

impl Metrics {
    /// Makes and registers them.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<GaugeVec> {
            let vec = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let counter = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let reconciles = HistogramVec::new(
            histogram_opts!("classifierfleet_operator_reconcile_duration_seconds", "Time that a reconcile took."),
            &["outcome"],
        )?;
        registry.register(Box::new(reconciles.clone()))?;
        let inventory_instances =
            IntGauge::new("classifierfleet_operator_inventory_instances", "Instances that EC2 last listed, of all fleets.")?;
        registry.register(Box::new(inventory_instances.clone()))?;
        let with = |label| [FLEET[0], FLEET[1], label];
        Ok(Self {
            queue_messages: gauge(
                "classifierfleet_queue_messages",
                "Messages in the fleet's request queue, as SQS counts them.",
                &with("state"),
            )?,
            workers: gauge("classifierfleet_workers", "EC2 workers of the fleet.", &with("state"))?,
            desired: gauge("classifierfleet_desired_workers", "EC2 workers that the fleet should have.", &FLEET)?,
            launched: counter("classifierfleet_launched_instances_total", "Instances launched.", &FLEET)?,
            launch_failures: counter(
                "classifierfleet_launch_failures_total",
                "Launches that EC2 refused or did not answer.",
                &with("code"),
            )?,
            removed: counter("classifierfleet_removed_instances_total", "Instances told to drain, or terminated.", &with("reason"))?,
            reconcile_failures: counter("classifierfleet_operator_reconcile_failures_total", "Reconciles that failed.", &with("stage"))?,
            inventory_failures: counter("classifierfleet_operator_inventory_failures_total", "Lists of instances that failed.", &["code"])?,
            inventory_instances,
            reconciles,
        })
    }

    /// Forgets the gauges of a fleet that is gone.
    pub fn forget(&self, fleet: &ClassifierFleet) {
        let (namespace, name) = (fleet.namespace().unwrap_or_default(), fleet.name_any());
        for state in ["visible", "in_flight", "delayed"] {
            self.queue_messages.remove_label_values(&[&namespace, &name, state]).ok();
        }
        for state in ["ready", "starting", "draining", "outdated"] {
            self.workers.remove_label_values(&[&namespace, &name, state]).ok();
        }
        self.desired.remove_label_values(&[&namespace, &name]).ok();
    }
}
