//! Spans of what a process does, for a collector that speaks OTLP. Off, and free, unless the environment names one
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`). Knows nothing of what the spans are about.

pub mod aws;
mod client;
mod context;
mod exporter;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, ResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracer, SdkTracerProvider};

use self::client::Client;
pub use self::context::{TraceContext, failed};
use self::exporter::Reporting;
use crate::logs::{self, LogArgs};

/// Target of all spans that are meant for a collector, and of nothing else.
pub const TARGET: &str = "traces";

/// How long the last spans may take to leave at the end of a process.
const FAREWELL: Duration = Duration::from_secs(3);

/// Who makes the spans.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// Name of the program: `service.name`, unless `OTEL_SERVICE_NAME` says another.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What else is known of it: attribute and value. `OTEL_RESOURCE_ATTRIBUTES` may add to them, or say others.
    pub attributes: &'a [(&'static str, &'a str)],
}

/// Traces that were started, until this is dropped: then the spans that are left are exported, for 3 s at most. Dropped outside of
/// an async runtime, or on a thread that may block.
#[derive(Debug)]
#[must_use = "dropping it ends the traces"]
pub struct Traces(Option<SdkTracerProvider>);

/// Why there are no traces, though a collector is named.
#[derive(Debug, thiserror::Error)]
enum TracesError {
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
    #[error(transparent)]
    Client(#[from] client::ClientError),
}

/// Starts logs and, where the environment names a collector, traces. That these cannot be had is logged: it keeps nobody from
/// working.
///
/// # Errors
/// When the logs cannot be started.
pub fn start(args: &LogArgs, source: &Source<'_>) -> anyhow::Result<Traces> {
    let Some(endpoint) = endpoint(|name| std::env::var(name).ok()) else {
        logs::init(args)?;
        return Ok(Traces(None));
    };
    match provider(&endpoint, source) {
        Ok(provider) => {
            logs::start(args, Some(tracer(&provider, source)))?;
            tracing::info!(endpoint, "spans are exported");
            Ok(Traces(Some(provider)))
        }
        Err(error) => {
            logs::init(args)?;
            tracing::error!(endpoint, %error, "there will be no traces; look at the variables OTEL_EXPORTER_OTLP_*");
            Ok(Traces(None))
        }
    }
}

/// Where spans go, as the variables of OpenTelemetry's specification say; nowhere is what they say mostly.
fn endpoint(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    // Of the specification: an empty variable is one that is not set.
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let elsewhere = variable("OTEL_TRACES_EXPORTER").is_some_and(|exporter| exporter != "otlp");
    if off || elsewhere {
        return None;
    }
    variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))
}

/// The SDK reads sampler, limits, endpoint and headers from the environment itself. The queue of spans is bounded (2,048, or
/// `OTEL_BSP_MAX_QUEUE_SIZE`): what does not fit is dropped.
fn provider(endpoint: &str, source: &Source<'_>) -> Result<SdkTracerProvider, TracesError> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).with_http_client(Client::new()?).build()?;
    let processor = BatchSpanProcessor::builder(Reporting::new(exporter, endpoint)).build();
    Ok(SdkTracerProvider::builder().with_span_processor(processor).with_resource(resource(source)).build())
}

fn tracer(provider: &SdkTracerProvider, source: &Source<'_>) -> SdkTracer {
    provider.tracer(source.program)
}

fn resource(source: &Source<'_>) -> Resource {
    let own = [("service.name", source.program), ("service.version", source.version)];
    let own = own.iter().chain(source.attributes).map(|(name, value)| KeyValue::new(*name, (*value).to_owned()));
    let environment: [Box<dyn ResourceDetector>; 2] = [Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())];
    let resource = Resource::builder_empty().with_attributes(own).with_detectors(&environment);
    match std::env::var("OTEL_SERVICE_NAME") {
        Ok(name) if !name.is_empty() => resource.with_service_name(name).build(),
        _ => resource.build(),
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = &self.0
            && let Err(error) = provider.shutdown_with_timeout(FAREWELL)
        {
            tracing::debug!(%error, "the last spans could not be exported");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn spans_go_where_the_environment_says_and_nowhere_by_default() {
        let (general, own) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        type Row<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
        let table: [Row<'_>; 8] = [
            (&[], None),
            (&[(general, "")], None),
            (&[(general, "http://a:4318")], Some("http://a:4318")),
            (&[(general, "http://a:4318"), (own, "http://b/v1/traces")], Some("http://b/v1/traces")),
            (&[(general, "http://a:4318"), ("OTEL_SDK_DISABLED", "True")], None),
            (&[(general, "http://a:4318"), ("OTEL_SDK_DISABLED", "no")], Some("http://a:4318")),
            (&[(general, "http://a:4318"), ("OTEL_TRACES_EXPORTER", "none")], None),
            (&[(general, "http://a:4318"), ("OTEL_TRACES_EXPORTER", "otlp")], Some("http://a:4318")),
        ];
        for (environment, expected) in table {
            let variable = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(endpoint(variable).as_deref(), expected, "{environment:?}");
        }
    }
}
