//! What Prometheus sees of the operator.

use crds::ClassifierFleet;
use kube::ResourceExt as _;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, histogram_opts};

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
    /// Times that workers were started again.
    pub restarts: IntCounterVec,
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
    /// 1 while an offering is closed.
    pub offering_closed: GaugeVec,
    /// Seconds from a sign of work to the launch call.
    pub reaction: HistogramVec,
}

const FLEET: [&str; 2] = ["namespace", "fleet"];

/// States of workers, as label values.
pub const WORKER_STATES: [&str; 5] = ["ready", "starting", "draining", "outdated", "stopped"];

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
        let histogram = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<HistogramVec> {
            let vec = HistogramVec::new(histogram_opts!(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            Ok(vec)
        };
        let inventory_instances = IntGaugeVec::new(
            Opts::new("classifierfleet_operator_inventory_instances", "Instances that EC2 last listed, of all fleets."),
            &["region"],
        )?;
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
            launched: counter("classifierfleet_launched_instances_total", "Instances launched, or started again.", &with("action"))?,
            launch_failures: counter(
                "classifierfleet_launch_failures_total",
                "Launches that EC2 refused or did not answer.",
                &with("code"),
            )?,
            removed: counter("classifierfleet_removed_instances_total", "Instances told to drain, or terminated.", &with("reason"))?,
            restarts: counter("classifierfleet_worker_restarts_total", "Workers that ended unasked and were started again.", &FLEET)?,
            reconcile_failures: counter("classifierfleet_operator_reconcile_failures_total", "Reconciles that failed.", &["stage"])?,
            inventory_failures: counter(
                "classifierfleet_operator_inventory_failures_total",
                "Lists of instances that failed.",
                &["region", "code"],
            )?,
            inventory_instances,
            ec2_calls: counter("classifierfleet_operator_ec2_calls_total", "Calls to EC2.", &["region", "action", "outcome"])?,
            ec2_waits: histogram(
                "classifierfleet_operator_ec2_wait_seconds",
                "Time that calls to EC2 waited so as to keep within its limits.",
                &["region", "action"],
            )?,
            orphans: counter(
                "classifierfleet_operator_orphans_terminated_total",
                "Instances terminated because their fleet no longer exists.",
                &["region"],
            )?,
            offering_closed: gauge(
                "classifierfleet_offering_closed",
                "1 while nothing is launched in an offering because EC2 refused it.",
                &["namespace", "fleet", "instance_type", "subnet", "capacity_type"],
            )?,
            reaction: histogram(
                "classifierfleet_operator_reaction_seconds",
                "Time from the upload that a gateway told of to the launch that followed.",
                &FLEET,
            )?,
            reconciles: histogram("classifierfleet_operator_reconcile_duration_seconds", "Time that a reconcile took.", &["outcome"])?,
        })
    }

    /// Forgets the gauges of a fleet that is gone.
    pub fn forget(&self, fleet: &ClassifierFleet) {
        let (namespace, name) = (fleet.namespace().unwrap_or_default(), fleet.name_any());
        for state in ["visible", "in_flight", "delayed"] {
            self.queue_messages.remove_label_values(&[&namespace, &name, state]).ok();
        }
        for state in WORKER_STATES {
            self.workers.remove_label_values(&[&namespace, &name, state]).ok();
        }
        self.desired.remove_label_values(&[&namespace, &name]).ok();
        self.reaction.remove_label_values(&[&namespace, &name]).ok();
        for offering in fleet.spec.workers.template.offerings() {
            self.offering_closed.remove_label_values(&offering_labels(&namespace, &name, &offering)).ok();
        }
    }
}

/// Labels of a fleet's offering.
pub fn offering_labels<'a>(namespace: &'a str, fleet: &'a str, offering: &'a plan::Offering) -> [&'a str; 5] {
    let subnet = offering.subnet_id.as_deref().unwrap_or("default");
    [namespace, fleet, &offering.instance_type, subnet, if offering.spot { "spot" } else { "on-demand" }]
}
