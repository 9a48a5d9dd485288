//! A span for each call to AWS that is made within another span. Long polls, and calls made for many at once, are within none.
//! Knows nothing of what is asked.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use tracing::{Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::{TARGET, failed};

/// Headers that name a request, by which AWS's support finds it.
const REQUEST_IDS: [&str; 2] = ["x-amzn-requestid", "x-amz-request-id"];

/// Makes a span of each call of its client, its tries included.
#[derive(Debug, Clone, Copy, Default)]
pub struct CallSpans;

#[derive(Debug)]
struct Call(Span);

impl Storable for Call {
    type Storer = StoreReplace<Self>;
}

impl Intercept for CallSpans {
    fn name(&self) -> &'static str {
        "CallSpans"
    }

    /// Not before execution: a client's interceptors are not told of the operation by then.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(metadata) = config.load::<Metadata>()
            && Context::current().has_active_span()
        {
            let (service, method) = (metadata.service(), metadata.name());
            let span = tracing::info_span!(
                target: TARGET,
                "AWS",
                otel.name = format!("{service}.{method}"),
                otel.kind = "client",
                rpc.system = "aws-api",
                rpc.service = service,
                rpc.method = method,
                http.response.status_code = field::Empty,
            );
            config.interceptor_state().store_put(Call(span));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Call(span)) = config.load::<Call>() else { return Ok(()) };
        let response = context.response();
        if let Some(response) = response {
            span.record("http.response.status_code", response.status().as_u16());
            if let Some(id) = REQUEST_IDS.iter().find_map(|name| response.headers().get(*name)) {
                span.set_attribute("aws.request_id", id.to_owned());
            }
        }
        if context.output_or_error().is_none_or(|outcome| outcome.is_err()) {
            failed(span, &response.map_or_else(|| "no_answer".to_owned(), |response| response.status().as_u16().to_string()));
        }
        Ok(())
    }
}
