//! What Prometheus is shown of a worker. Which worker that is, service discovery tells.

use prometheus::{Counter, Gauge, HistogramVec, IntCounterVec, IntGauge, Registry, Result};
use service::metrics::Catalogue;

/// Ending of a job that has a result.
pub const DONE: &str = "done";
/// Stages of a job.
const STAGES: [&str; 4] = ["fetch", "decode", "infer", "store"];

/// Upper bounds of the stages' durations in seconds.
const BOUNDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// The worker's metrics, all beginning with `classifierfleet_worker_`.
#[derive(Debug, Clone)]
pub struct Metrics {
    jobs: IntCounterVec,
    stages: HistogramVec,
    /// Jobs that were received and are not done.
    pub held: IntGauge,
    /// Measured before the worker became ready.
    pub images_per_second: Gauge,
    /// CPU time of decoding and inference.
    pub classify_cpu_seconds: Counter,
    /// Requests to AWS, retries included.
    pub aws_calls: IntCounterVec,
}

impl Metrics {
    /// Makes the metrics and registers them.
    ///
    /// # Errors
    /// When one of that name is registered already.
    pub fn new(registry: &Registry) -> Result<Self> {
        let metrics = Self::make(&mut Catalogue::new(registry, &[]))?;
        // There from the beginning, so that the first job is seen as an increase.
        metrics.jobs.with_label_values(&[DONE]);
        for stage in STAGES {
            metrics.stages.with_label_values(&[stage]);
        }
        Ok(metrics)
    }

    fn make(all: &mut Catalogue) -> Result<Self> {
        Ok(Self {
            jobs: all.int_counters(
                "classifierfleet_worker_jobs_total",
                "Jobs that ended on this worker, by how they ended.",
                &["ending"],
            )?,
            stages: all.histograms("classifierfleet_worker_stage_seconds", "Time that a job spent in each stage.", &["stage"], &BOUNDS)?,
            held: all.int_gauge("classifierfleet_worker_held_jobs", "Jobs that were received and are not done.")?,
            images_per_second: all.gauge(
                "classifierfleet_worker_measured_images_per_second",
                "Images per second that this worker classified when it started, all cores together.",
            )?,
            classify_cpu_seconds: all.counter(
                "classifierfleet_worker_classify_cpu_seconds_total",
                "CPU time that decoding and inference took on the worker's threads.",
            )?,
            aws_calls: all.int_counters(
                "classifierfleet_worker_aws_calls_total",
                "Requests to SQS and S3, retries included, by what was asked.",
                &["call"],
            )?,
        })
    }

    /// A job ended.
    pub fn ended(&self, ending: &str) {
        self.jobs.with_label_values(&[ending]).inc();
    }

    /// A job was so long in a stage.
    pub fn stage(&self, stage: &str, seconds: f64) {
        self.stages.with_label_values(&[stage]).observe(seconds);
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
        let kept = page_has(page.as_ref(), &all.section("Worker")).unwrap();
        assert!(kept, "docs/metrics.md differs: UPDATE_DOCS=1 cargo test --lib the_page_lists_them");
    }
}
