//! Where no collector is named, there are no spans: a process of its own, as a process has one subscriber.
#![allow(clippy::unwrap_used, missing_docs)]

use clap::Parser;
use service::logs::LogArgs;
use service::traces::{self, Source, TARGET, TraceContext};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    logs: LogArgs,
}

#[test]
fn without_a_collector_no_span_is_recorded_whatever_is_logged() {
    let Arguments { logs } = Arguments::parse_from(["test", "--log-level=trace"]);
    let _traces = traces::start(&logs, &Source { program: "test", version: "1", attributes: &[] }).unwrap();
    let span = tracing::info_span!(target: TARGET, "request");
    assert!(span.is_disabled());
    assert_eq!(TraceContext::of(&span), None);
    assert!(!tracing::info_span!(target: "worker", "of a log line").is_disabled(), "as long as it is no span of a trace");
}
