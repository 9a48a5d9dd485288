//! Structured logs on standard error: one line an event, a sentence with fields.

use std::fmt;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::traces::TARGET;

/// How to log.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Shape of a log line.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// What to log, as tracing's directives: `info`, `debug`, `operator=debug,info` …
    #[arg(long, env = "LOG_LEVEL", default_value = "info")]
    pub log_level: String,
}

/// Shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For people at a terminal.
    Text,
}

/// Starts logging for the whole process.
///
/// # Errors
/// When the level is no directive that tracing knows, or logging was started before.
pub fn init(args: &LogArgs) -> anyhow::Result<()> {
    start(args, None)
}

/// As [`init`], with spans that go to `tracer`, and lines that name the span which they belong to.
pub(crate) fn start(args: &LogArgs, tracer: Option<SdkTracer>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_level)
        .with_context(|| format!("--log-level {:?} is not understood; try info, debug or operator=debug,info", args.log_level))?;
    // Spans for the collector are no part of a line: they would be formatted, each, for nobody.
    let filter = filter.add_directive(format!("{TARGET}=off").parse()?);
    let registry = tracing_subscriber::registry().with(lines(args.log_format).with_filter(filter));
    // Not an Option of a layer: one that is None lets every span through, and none would be free.
    let started = match tracer {
        Some(tracer) => registry.with(spans(tracer)).try_init(),
        None => registry.try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}

fn spans<S: Subscriber + for<'a> LookupSpan<'a>>(tracer: SdkTracer) -> impl Layer<S> {
    let layer = tracing_opentelemetry::layer().with_tracer(tracer);
    let layer = layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false);
    layer.with_filter(Targets::new().with_target(TARGET, LevelFilter::INFO))
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            lines.map_event_format(WithTrace).boxed()
        }
        LogFormat::Text => lines.with_ansi(false).boxed(),
    }
}

/// A line of JSON that names trace and span, if it was written in one: so are logs and traces brought together.
struct WithTrace<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithTrace<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let current = Context::current();
        let span = current.span().span_context().clone();
        if !span.is_valid() {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(line) => writeln!(writer, r#"{line},"trace_id":"{}","span_id":"{}"}}"#, span.trace_id(), span.span_id()),
            None => writer.write_str(&line),
        }
    }
}
