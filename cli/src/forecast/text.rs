//! A forecast as text. Pure.

use std::fmt::Write as _;

use jiff::SignedDuration;

use super::{Forecast, Row, Timeline};
use crate::explain::Sheet;
use crate::paint::{Paint, Tone};
use crate::words::{count, rate, seconds, span};

/// So many rows are shown; a fleet that changes more often would fill the screen.
const ROWS: usize = 20;

/// The forecast as text.
#[must_use]
pub fn text(forecast: &Forecast, paint: Paint) -> String {
    let mut out = Sheet { text: String::new(), paint };
    let inputs = &forecast.inputs;
    let name = paint.paint(Tone::Bold, &forecast.name);
    out.line(&format!("{name}: {} would be wanted, {} before.", count(i64::from(forecast.desired), "worker"), inputs.before));
    out.steps(&format!("Why {}", forecast.desired), &forecast.steps);
    out.section("What is done now", &deeds(forecast));
    let known = if inputs.measured { "as given" } else { "assumed, give --rate, --boot and --boot-warm" };
    let assumption = format!(
        "A worker boots in {}, or {} if it was stopped, and does {} jobs/s ({known}).",
        seconds(inputs.boot_cold_seconds),
        seconds(inputs.boot_warm_seconds),
        rate(inputs.jobs_per_second)
    );
    if let Some(timeline) = &forecast.timeline {
        out.section("How it goes on", &rows(timeline));
        let room = match forecast.closed.as_slice() {
            [] => "EC2 has room for all".to_owned(),
            closed => format!("EC2 has room for all, but for 3 minutes none for {}", closed.join(", ")),
        };
        let wanted = format!("{} had been wanted until now, and {room}.", count(inputs.before, "worker"));
        out.section("As if", &[assumption, wanted]);
    }
    out.text
}

fn deeds(forecast: &Forecast) -> Vec<String> {
    let launches = forecast.launch.iter().map(|launch| format!("launch {} {}", launch.count, launch.offering));
    let others =
        [("start", forecast.start, "stopped worker"), ("drain", forecast.drain, "worker"), ("terminate", forecast.terminate, "worker")];
    let others = others.into_iter().filter(|(_, number, _)| *number > 0);
    let others = others.map(|(verb, number, noun)| format!("{verb} {}", count(i64::try_from(number).unwrap_or(i64::MAX), noun)));
    let deeds: Vec<String> = launches.chain(others).collect();
    if deeds.is_empty() { vec!["nothing".to_owned()] } else { deeds }
}

fn rows(timeline: &Timeline) -> Vec<String> {
    let pool = timeline.rows.iter().any(|row| row.stopped > 0);
    let stopped = |text: String| if pool { format!("{text:>9}") } else { String::new() };
    let heading = format!(
        "{:>10} {:>8} {:>7} {:>6} {:>9} {:>9}{}",
        "AFTER",
        "BACKLOG",
        "WANTED",
        "READY",
        "STARTING",
        "DRAINING",
        stopped("STOPPED".to_owned())
    );
    let mut lines = vec![heading];
    for Row { second, backlog, desired, ready, starting, draining, stopped: warm } in timeline.rows.iter().take(ROWS) {
        let after = span(SignedDuration::from_secs(*second));
        let mut line = String::new();
        let _ = write!(line, "{after:>10} {backlog:>8} {desired:>7} {ready:>6} {starting:>9} {draining:>9}{}", stopped(warm.to_string()));
        lines.push(line);
    }
    if timeline.rows.len() > ROWS {
        lines.push(format!("… and {} (-o json has all)", count(i64::try_from(timeline.rows.len() - ROWS).unwrap_or(i64::MAX), "change")));
    }
    let end = span(SignedDuration::from_secs(timeline.seconds));
    lines.push(match timeline.drained_after_seconds {
        Some(0) => "Nothing waits.".to_owned(),
        Some(second) => format!("Nothing waits after {}.", span(SignedDuration::from_secs(second))),
        None => format!("Jobs still wait after {end}: they arrive faster than they are done, or no worker may run."),
    });
    lines
}
