//! What Prometheus sees of the gateway.

use std::time::Instant;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, Registry, Result};
use service::metrics::Catalogue;

/// Outcome of an image that has a label.
pub(crate) const CLASSIFIED: &str = "classified";

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
    /// The metrics of the fleet `namespace`/`fleet` and the registry that shows them.
    pub(crate) fn new(namespace: &str, fleet: &str) -> Result<(Self, Registry)> {
        let registry = Registry::new();
        let metrics = Self::make(&mut Catalogue::new(&registry, &[("namespace", namespace), ("fleet", fleet)]))?;
        // There from the beginning, so that the first image is seen as an increase.
        metrics.uploads.with_label_values(&[CLASSIFIED]);
        Ok((metrics, registry))
    }

    fn make(all: &mut Catalogue) -> Result<Self> {
        Ok(Self {
            uploads: all.int_counters(
                "classifierfleet_gateway_uploads_total",
                "Uploaded images by what became of them: classified, or the name of the problem.",
                &["outcome"],
            )?,
            duration: all.histogram(
                "classifierfleet_gateway_upload_duration_seconds",
                "From the request of a classified or failed image to its result.",
                &DURATION_BUCKETS,
            )?,
            cache: all.int_counters(
                "classifierfleet_gateway_cache_requests_total",
                "Images looked up among the answers kept for the same bytes.",
                &["result"],
            )?,
            aws_calls: all.int_counters(
                "classifierfleet_gateway_aws_calls_total",
                "Requests to SQS and S3, retries included, by what was asked.",
                &["call"],
            )?,
            pending: all.int_gauge("classifierfleet_gateway_pending_uploads", "Images that wait for their result.")?,
            event_streams: all.int_gauge("classifierfleet_gateway_event_streams", "Clients that listen to events.")?,
            received: all.int_counter("classifierfleet_gateway_received_bytes_total", "Bytes of request bodies.")?,
            wake_writes: all.int_counter(
                "classifierfleet_gateway_wake_writes_total",
                "Writes of the Lease that tells the operator of images that wait.",
            )?,
            wake_failures: all.int_counter(
                "classifierfleet_gateway_wake_failures_total",
                "Writes of the Lease that tells the operator of images that wait, as far as they failed.",
            )?,
        })
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

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use service::metrics::{Catalogue, page_has};

    use super::Metrics;

    #[test]
    fn the_page_lists_them() {
        let mut all = Catalogue::new(&Registry::new(), &[("namespace", "default"), ("fleet", "imagenet")]);
        Metrics::make(&mut all).unwrap();
        // Cargo runs tests in the folder of their crate.
        let page = "../docs/metrics.md";
        let kept = page_has(page.as_ref(), &all.section("Gateway")).unwrap();
        assert!(kept, "docs/metrics.md differs: UPDATE_DOCS=1 cargo test --lib the_page_lists_them");
    }
}
