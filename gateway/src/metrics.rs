//! What Prometheus sees of the gateway.

use std::collections::HashMap;
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// From an answer of a warm worker to one that an instance had to boot for, in seconds.
const DURATION_BUCKETS: [f64; 15] = [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 900.0];

/// The gateway's metrics, all named `classifierfleet_gateway_…`.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    uploads: IntCounterVec,
    duration: Histogram,
    cache: IntCounterVec,
    /// Requests to AWS, retries included.
    pub(crate) aws_calls: IntCounterVec,
    /// Images that wait for their result.
    pub(crate) pending: IntGauge,
    /// Listeners to events.
    pub(crate) event_streams: IntGauge,
    /// Bytes of request bodies.
    pub(crate) received: IntCounter,
    /// Times that the operator was told of what waits.
    pub(crate) wake_writes: IntCounter,
    /// Times that it could not be told.
    pub(crate) wake_failures: IntCounter,
}

impl Metrics {
    /// The metrics of `fleet` and the registry that shows them.
    pub(crate) fn new(fleet: &str) -> prometheus::Result<(Self, Registry)> {
        let labels = HashMap::from([("fleet".to_owned(), fleet.to_owned())]);
        let registry = Registry::new_custom(Some("classifierfleet_gateway".to_owned()), Some(labels))?;
        let duration = HistogramOpts::new("upload_duration_seconds", "From the request of a classified or failed image to its result.");
        let metrics = Self {
            uploads: IntCounterVec::new(Opts::new("uploads_total", "Uploaded images by what became of them."), &["outcome"])?,
            duration: Histogram::with_opts(duration.buckets(DURATION_BUCKETS.to_vec()))?,
            cache: IntCounterVec::new(
                Opts::new("cache_requests_total", "Images looked up among the answers kept for the same bytes."),
                &["result"],
            )?,
            aws_calls: IntCounterVec::new(
                Opts::new("aws_calls_total", "Requests to SQS and S3, retries included, by what was asked."),
                &["call"],
            )?,
            pending: IntGauge::new("pending_uploads", "Images that wait for their result.")?,
            event_streams: IntGauge::new("event_streams", "Clients that listen to events.")?,
            received: IntCounter::new("received_bytes_total", "Bytes of request bodies.")?,
            wake_writes: IntCounter::new("wake_writes_total", "Writes of the Lease that tells the operator of images that wait.")?,
            wake_failures: IntCounter::new("wake_failures_total", "Writes of that Lease that failed.")?,
        };
        for counters in [&metrics.uploads, &metrics.cache, &metrics.aws_calls] {
            registry.register(Box::new(counters.clone()))?;
        }
        registry.register(Box::new(metrics.duration.clone()))?;
        registry.register(Box::new(metrics.pending.clone()))?;
        registry.register(Box::new(metrics.event_streams.clone()))?;
        for counter in [&metrics.received, &metrics.wake_writes, &metrics.wake_failures] {
            registry.register(Box::new(counter.clone()))?;
        }
        Ok((metrics, registry))
    }

    /// Counts a request that ended before there was an image to count.
    pub(crate) fn refused(&self, outcome: &str) {
        self.uploads.with_label_values(&[outcome]).inc();
    }

    /// Counts a look at the kept answers: `hit` or `miss`.
    pub(crate) fn cache(&self, result: &str) {
        self.cache.with_label_values(&[result]).inc();
    }

    /// Begins to measure an image that came with a request of `since`.
    pub(crate) fn upload(&self, since: Instant) -> Measured {
        Measured { metrics: self.clone(), since, outcome: "disconnected", answered: false }
    }
}

/// One image, counted when dropped: as disconnected unless something better is known by then.
#[derive(Debug)]
pub(crate) struct Measured {
    metrics: Metrics,
    since: Instant,
    outcome: &'static str,
    answered: bool,
}

impl Measured {
    /// The image has a result.
    pub(crate) fn answered(&mut self, outcome: &'static str) {
        self.outcome = outcome;
        self.answered = true;
    }

    /// The image has none, and its uploader was told why.
    pub(crate) fn refused(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.metrics.refused(self.outcome);
        if self.answered {
            self.metrics.duration.observe(self.since.elapsed().as_secs_f64());
        }
    }
}
