//! W3C trace context: which trace, and which span of it, as it travels in headers and messages. Pure.

use std::str::FromStr as _;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Length of a `traceparent` of the version that is defined.
const LENGTH: usize = 55;
/// What everybody must be able to pass on of a `tracestate`; a longer one is left behind, as the recommendation allows.
const MOST_STATE: usize = 512;

/// A span of a trace, maybe of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(SpanContext);

impl TraceContext {
    /// Of the headers or fields of these names. None when `traceparent` is not valid: then there is no trace to go on with, and what
    /// stands in `tracestate` does not count. A `tracestate` that is not valid is left behind alone.
    #[must_use]
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let (version, rest) = traceparent.split_at_checked(2)?;
        let known = version == "00" && traceparent.len() == LENGTH;
        // Of later versions, what is known is read, and what follows is not.
        let later = !matches!(version, "00" | "ff") && matches!(traceparent.as_bytes().get(LENGTH), None | Some(b'-'));
        if !is_hex(version) || !(known || later) {
            return None;
        }
        let [trace, span, flags] = [rest.get(1..33)?, rest.get(34..50)?, rest.get(51..53)?];
        let dashes = [0, 33, 50].into_iter().all(|place| rest.as_bytes().get(place) == Some(&b'-'));
        if !dashes || ![trace, span, flags].into_iter().all(is_hex) {
            return None;
        }
        let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
        let state = tracestate.filter(|state| state.len() <= MOST_STATE).and_then(|state| TraceState::from_str(state).ok());
        let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
        let context = SpanContext::new(trace, span, flags, true, state.unwrap_or_default());
        context.is_valid().then_some(Self(context))
    }

    /// Of `span`; none when it is not traced.
    #[must_use]
    pub fn of(span: &Span) -> Option<Self> {
        if span.is_disabled() {
            return None;
        }
        let context = span.context().span().span_context().clone();
        context.is_valid().then_some(Self(context))
    }

    /// The header or field of this name.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.0.trace_id(), self.0.span_id(), self.0.trace_flags())
    }

    /// The header or field of this name, if there is something to say.
    #[must_use]
    pub fn tracestate(&self) -> Option<String> {
        Some(self.0.trace_state().header()).filter(|state| !state.is_empty())
    }

    /// Makes `span`, which has not been entered yet, a child of this one.
    pub fn adopt(&self, span: &Span) {
        // Refused by spans that are not traced, which need no parent.
        let _ = span.set_parent(Context::new().with_remote_span_context(self.0.clone()));
    }
}

/// Notes on `span` that what it stands for failed: `error_type` is of few values, as a metric's label is.
pub fn failed(span: &Span, error_type: &str) {
    if !span.is_disabled() {
        span.set_attribute("error.type", error_type.to_owned());
        span.set_status(opentelemetry::trace::Status::error(""));
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::TraceContext;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn again(traceparent: &str) -> Option<String> {
        TraceContext::read(traceparent, None).map(|trace| trace.traceparent())
    }

    #[test]
    fn what_is_valid_is_passed_on() {
        for flags in ["00", "01"] {
            let traceparent = format!("00-{TRACE}-{SPAN}-{flags}");
            assert_eq!(again(&traceparent), Some(traceparent.clone()));
        }
        let sampled = Some(format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(again(&format!("00-{TRACE}-{SPAN}-ff")), sampled, "of the flags only one is known");
        assert_eq!(again(&format!("cc-{TRACE}-{SPAN}-01")), sampled, "a later version");
        assert_eq!(again(&format!("cc-{TRACE}-{SPAN}-01-more")), sampled, "and what that adds");
    }

    #[test]
    fn what_is_not_valid_is_no_trace() {
        let (no_trace, no_span) = ("0".repeat(32), "0".repeat(16));
        let table = [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("0X-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("cc-{TRACE}-{SPAN}-01more"),
            format!("00-{TRACE}-{SPAN}-0"),
            format!("00-{TRACE}-{SPAN}-0x"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{no_trace}-{SPAN}-01"),
            format!("00-{TRACE}-{no_span}-01"),
            format!("00-{TRACE}-{}-01", "ä".repeat(8)),
        ];
        for traceparent in table {
            assert_eq!(again(&traceparent), None, "{traceparent}");
        }
    }

    #[test]
    fn a_state_that_is_not_valid_or_too_long_is_left_behind_alone() {
        let traceparent = format!("00-{TRACE}-{SPAN}-01");
        let state = |state: &str| TraceContext::read(&traceparent, Some(state)).unwrap().tracestate();
        assert_eq!(state("a=1,b=2").as_deref(), Some("a=1,b=2"));
        assert_eq!(state(""), None);
        assert_eq!(state("no pair"), None);
        assert_eq!(state(&format!("a={}", "x".repeat(511))), None);
    }
}
