//! Where a fleet's traces go.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Traces of uploads, from the gateway's request to the worker's answer, for a collector that speaks OpenTelemetry's protocol.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.otlpEndpoint.matches('^https?://[!-~]+$')")
        .message("tracing.otlpEndpoint must be a URL that takes OTLP over HTTP, such as http://collector.example:4318; leave tracing out to have no traces")
)]
pub struct Tracing {
    /// Where gateways and workers send spans: the URL of an OTLP receiver over HTTP, without `/v1/traces`, such as
    /// `http://collector.example:4318`. Both must reach it, pods of the cluster and EC2 instances. Another one is a new revision of the workers.
    #[schemars(length(max = 512))]
    pub otlp_endpoint: String,
    /// Share of the uploads that are traced. Of those whose client sends a `traceparent`, the client decides.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sampling_ratio: f64,
}

impl Tracing {
    /// The environment (variable, value) by which a program sends its spans there, as OpenTelemetry defines it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.otlp_endpoint.clone()),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()),
            ("OTEL_TRACES_SAMPLER_ARG", self.sampling_ratio.to_string()),
        ]
    }
}

fn all() -> f64 {
    1.0
}
