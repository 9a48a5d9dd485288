//! Hears what operators log: that a plan broke a promise is told to the judge, and a verbose run prints the rest.

use std::fmt;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::{Layer, registry};

use crate::judge::Judge;

struct Ear {
    judge: Arc<Judge>,
    verbose: bool,
}

/// Until the guard is dropped, what this thread logs is heard.
pub fn heard_by(judge: Arc<Judge>, verbose: bool) -> DefaultGuard {
    let level = if verbose { LevelFilter::INFO } else { LevelFilter::ERROR };
    tracing::subscriber::set_default(registry().with(Ear { judge, verbose }.with_filter(level)))
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if *event.metadata().level() == Level::ERROR && line.0.contains("breaks a promise") {
            self.judge.broken(&line.0);
        } else if self.verbose {
            eprintln!("          {:5} {}", event.metadata().level(), line.0);
        }
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = if field.name() == "message" { format!("{value:?} ") } else { format!("{}={value:?} ", field.name()) };
        self.0.push_str(&text);
    }
}
