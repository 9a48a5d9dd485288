//! The spans of a job, named as OpenTelemetry's conventions for messaging have it. Knows nothing of what is done in them.

use service::traces::{TARGET, TraceContext};
use tracing::{Span, field};
use uuid::Uuid;
use wire::Job;

use super::queue::Message;

/// One try of a job, from its receipt to its end, as a part of the trace that the upload began. A job that is tried again has one
/// for each try.
pub(super) fn process(queue: &str, message: &Message, job: &Job, worker: &str) -> Span {
    let span = tracing::info_span!(
        target: TARGET,
        "process",
        otel.name = format!("process {queue}"),
        otel.kind = "consumer",
        messaging.system = "aws_sqs",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        messaging.destination.name = queue,
        messaging.message.id = message.id,
        messaging.message.conversation_id = %job.id,
        host.id = worker,
        classifierfleet.receives = message.receives,
        classifierfleet.ending = field::Empty,
    );
    let trace = job.traceparent.as_deref().and_then(|parent| TraceContext::read(parent, job.tracestate.as_deref()));
    if let Some(trace) = trace {
        trace.adopt(&span);
    }
    span
}

/// One step of a job.
pub(super) fn step(name: &'static str) -> Span {
    tracing::info_span!(target: TARGET, "step", otel.name = name)
}

/// An answer on its way, together with others.
pub(super) fn send(queue: &str, job: Uuid) -> Span {
    message("send", "producer", queue, job)
}

/// The deletion of a message, together with others.
pub(super) fn settle(queue: &str, job: Uuid) -> Span {
    message("settle", "client", queue, job)
}

fn message(operation: &'static str, kind: &'static str, queue: &str, job: Uuid) -> Span {
    tracing::info_span!(
        target: TARGET,
        "message",
        otel.name = format!("{operation} {queue}"),
        otel.kind = kind,
        messaging.system = "aws_sqs",
        messaging.operation.name = operation,
        messaging.operation.type = operation,
        messaging.destination.name = queue,
        messaging.message.conversation_id = %job,
    )
}
