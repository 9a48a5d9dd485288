//! Says once that the collector does not take spans, and once that it does again; what is not taken is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// An exporter whose failures are reported when they begin and when they end.
#[derive(Debug)]
pub(super) struct Reporting<E> {
    inner: E,
    endpoint: String,
    failing: AtomicBool,
}

impl<E: SpanExporter> Reporting<E> {
    pub(super) fn new(inner: E, endpoint: &str) -> Self {
        Self { inner, endpoint: endpoint.to_owned(), failing: AtomicBool::new(false) }
    }

    fn report(&self, result: &OTelSdkResult) {
        let endpoint = &self.endpoint;
        match (result, self.failing.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                tracing::warn!(endpoint, %error, "spans cannot be exported and are dropped until they can; nothing else is held up");
            }
            (Ok(()), true) => tracing::info!(endpoint, "spans are exported again"),
            _ => {}
        }
    }
}

impl<E: SpanExporter> SpanExporter for Reporting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.inner.export(batch).await;
        self.report(&result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
