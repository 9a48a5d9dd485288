//! What Prometheus is shown of a worker.

use prometheus::{Counter, Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Upper bounds of the stages' durations in seconds.
const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

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
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            jobs: IntCounterVec::new(
                Opts::new("classifierfleet_worker_jobs_total", "Jobs that ended on this worker, by how they ended."),
                &["ending"],
            )?,
            stages: HistogramVec::new(
                HistogramOpts::new("classifierfleet_worker_stage_seconds", "Seconds that a job spent in each stage.")
                    .buckets(BUCKETS.to_vec()),
                &["stage"],
            )?,
            held: IntGauge::new("classifierfleet_worker_held_jobs", "Jobs that were received and are not done.")?,
            images_per_second: Gauge::new(
                "classifierfleet_worker_measured_images_per_second",
                "Images per second that this worker classified when it started, all cores together.",
            )?,
            classify_cpu_seconds: Counter::new(
                "classifierfleet_worker_classify_cpu_seconds_total",
                "CPU time that decoding and inference took on the worker's threads.",
            )?,
            aws_calls: IntCounterVec::new(
                Opts::new("classifierfleet_worker_aws_calls_total", "Requests to SQS and S3, retries included, by what was asked."),
                &["call"],
            )?,
        };
        registry.register(Box::new(metrics.jobs.clone()))?;
        registry.register(Box::new(metrics.stages.clone()))?;
        registry.register(Box::new(metrics.held.clone()))?;
        registry.register(Box::new(metrics.images_per_second.clone()))?;
        registry.register(Box::new(metrics.classify_cpu_seconds.clone()))?;
        registry.register(Box::new(metrics.aws_calls.clone()))?;
        Ok(metrics)
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
