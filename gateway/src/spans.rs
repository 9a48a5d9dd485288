//! The spans of a request, named as OpenTelemetry's conventions for HTTP and messaging have it. Knows nothing of what is done in them.

use service::traces::{TARGET, TraceContext, failed};
use tracing::{Span, field};
use uuid::Uuid;
use warp::http::{HeaderMap, HeaderValue, Method};

const TRACEPARENT: &str = "traceparent";

/// The trace that a client's request belongs to, if it names one.
pub(crate) fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut traceparents = headers.get_all(TRACEPARENT).iter();
    let (Some(traceparent), None) = (traceparents.next(), traceparents.next()) else { return None };
    let states: Vec<&str> = headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok()).collect();
    TraceContext::read(traceparent.to_str().ok()?, Some(&states.join(",")))
}

/// One request, from its head to its answer, as its client's trace has it.
pub(crate) fn request(method: &Method, path: &str, route: Option<&'static str>, is_tls: bool, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "request",
        otel.name = route.map_or_else(|| method.to_string(), |route| format!("{method} {route}")),
        otel.kind = "server",
        http.request.method = method.as_str(),
        http.route = route,
        url.path = path,
        url.scheme = if is_tls { "https" } else { "http" },
        http.response.status_code = field::Empty,
    );
    if let Some(parent) = parent(headers) {
        parent.adopt(&span);
    }
    span
}

/// Notes how a request was answered, and tells the client by which trace it can be found.
pub(crate) fn answered(span: &Span, response: &mut warp::reply::Response) {
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        failed(span, status.as_str());
    }
    if let Some(trace) = TraceContext::of(span)
        && let Ok(value) = HeaderValue::from_str(&trace.traceparent())
    {
        response.headers_mut().insert(TRACEPARENT, value);
    }
}

/// One job on its way into the queue; workers go on from here.
pub(crate) fn send(queue: &str, job: Uuid) -> Span {
    tracing::info_span!(
        target: TARGET,
        "send",
        otel.name = format!("send {queue}"),
        otel.kind = "producer",
        messaging.system = "aws_sqs",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        messaging.destination.name = queue,
        messaging.message.conversation_id = %job,
    )
}

/// An upload that waits for its result.
pub(crate) fn wait(job: Uuid) -> Span {
    tracing::info_span!(target: TARGET, "wait for result", messaging.message.conversation_id = %job)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use warp::http::HeaderName;

    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_request_belongs_to_the_one_trace_that_it_names() {
        let read = |lines: &[(&'static str, &'static str)]| {
            parent(&headers(lines)).map(|trace| (trace.traceparent(), trace.tracestate().unwrap_or_default()))
        };
        assert_eq!(read(&[(TRACEPARENT, GOOD)]).unwrap(), (GOOD.to_owned(), String::new()));
        let states = [(TRACEPARENT, GOOD), ("tracestate", "a=1"), ("tracestate", "b=2")];
        assert_eq!(read(&states).unwrap().1, "a=1,b=2");
        assert_eq!(read(&[(TRACEPARENT, GOOD), (TRACEPARENT, GOOD)]), None, "it does not say which");
        assert_eq!(read(&[(TRACEPARENT, "00-0-0-01"), ("tracestate", "a=1")]), None);
        assert_eq!(read(&[]), None);
    }
}
