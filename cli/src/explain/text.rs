//! An explanation as text. Pure.

use std::fmt::Write as _;

use crds::{Decision, DecisionInputs, WorkersStatus};
use jiff::{SignedDuration, Timestamp};

use super::{Explanation, Recomputed};
use crate::paint::{Paint, Tone};
use crate::words::{ago, count, rate, seconds, span};

/// The explanation as text, at `now`.
#[must_use]
pub fn text(explanation: &Explanation, paint: Paint, now: Timestamp) -> String {
    let mut out = Sheet { text: String::new(), paint };
    let name = match &explanation.namespace {
        Some(namespace) => format!("{namespace}/{}", explanation.name),
        None => explanation.name.clone(),
    };
    let wanted = format!("{} wanted", count(i64::from(explanation.desired), "worker"));
    let _ = writeln!(out.text, "{}: {wanted}; {}", paint.paint(Tone::Bold, &name), workers(&explanation.workers));
    let Some(decision) = &explanation.decision else {
        out.line("Nothing is decided yet: the operator has not seen this fleet. Does it run, and watch this namespace?");
        out.conditions(explanation);
        return out.text;
    };
    let generation = explanation.observed_generation.map(|generation| format!(", for generation {generation}")).unwrap_or_default();
    out.line(&format!("Decided {} ({:.0}){generation}.", ago(decision.at.0, now), decision.at.0));
    out.steps(&format!("Why {}", explanation.desired), &decision.steps);
    out.section("From", &inputs(decision));
    out.section("Limit", &explanation.limit.iter().map(String::as_str).collect::<Vec<_>>());
    out.section("Under way", &explanation.launches.iter().map(|launch| &launch.sentence).collect::<Vec<_>>());
    out.section("Closed offerings", &explanation.closed.iter().map(|closed| &closed.sentence).collect::<Vec<_>>());
    out.section("Roll-out", &explanation.rollout.iter().map(|rollout| &rollout.sentence).collect::<Vec<_>>());
    out.conditions(explanation);
    if let Some(recomputed) = &explanation.recomputed {
        out.recomputed(recomputed, explanation.desired);
    }
    out.text
}

/// Text that grows section by section.
pub(crate) struct Sheet {
    pub(crate) text: String,
    pub(crate) paint: Paint,
}

impl Sheet {
    pub(crate) fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    /// A heading and its lines; nothing without lines.
    pub(crate) fn section<S: AsRef<str>>(&mut self, heading: &str, lines: &[S]) {
        if lines.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "\n{}", self.paint.paint(Tone::Bold, heading));
        for line in lines {
            let _ = writeln!(self.text, "  {}", line.as_ref());
        }
    }

    pub(crate) fn steps(&mut self, heading: &str, steps: &[String]) {
        let numbered: Vec<String> = steps.iter().zip(1..).map(|(step, number)| format!("{number}. {step}")).collect();
        self.section(heading, &numbered);
    }

    fn conditions(&mut self, explanation: &Explanation) {
        let conditions = explanation.conditions.iter();
        let lines: Vec<String> = conditions
            .map(|condition| format!("{} is {} ({}): {}", condition.type_, condition.status, condition.reason, condition.message))
            .collect();
        self.section("Conditions that are not as they should be", &lines);
    }

    fn recomputed(&mut self, recomputed: &Recomputed, desired: i32) {
        let Recomputed { desired: again, agrees, spec_changed, steps, differs_because } = recomputed;
        if *agrees {
            let line = format!(
                "The same code makes {again} of these inputs and of the spec as it is now: {}.",
                self.paint.paint(Tone::Good, "it agrees")
            );
            return self.section("Decided again", &[line]);
        }
        let verdict = match spec_changed {
            true => self.paint.paint(Tone::Busy, "not decided yet"),
            false => self.paint.paint(Tone::Bad, "it does not agree"),
        };
        let mut lines =
            vec![format!("The same code makes {again} of these inputs and of the spec as it is now, not {desired}: {verdict}.")];
        lines.extend(differs_because.iter().cloned());
        lines.extend(steps.iter().zip(1..).map(|(step, number)| format!("{number}. {step}")));
        self.section("Decided again", &lines);
    }
}

fn workers(workers: &WorkersStatus) -> String {
    let WorkersStatus { ready, starting, draining, outdated, stopped, total: _ } = workers;
    let others = [(starting, "starting"), (draining, "draining"), (stopped, "stopped"), (outdated, "of an earlier revision")];
    let others = others.iter().filter(|(number, _)| **number > 0).map(|(number, what)| format!(", {number} {what}"));
    format!("{ready} ready{}.", others.collect::<String>())
}

/// What it was decided from, without what is nothing.
fn inputs(decision: &Decision) -> Vec<String> {
    let inputs = &decision.inputs;
    let row = |name: &str, value: String| format!("{name:<10} {value}");
    let mut lines = vec![row("queue", queue(inputs))];
    lines.extend(gateways(inputs).map(|value| row("gateways", value)));
    if inputs.arrivals_per_second > 0.0 {
        lines.push(row("arrivals", format!("{} jobs/s", rate(inputs.arrivals_per_second))));
    }
    lines.push(row("before", format!("{} wanted", count(inputs.before, "worker"))));
    lines.extend(windows(inputs).map(|value| row("windows", value)));
    lines.extend(changes(inputs).map(|value| row("changes", value)));
    lines.extend(groups(inputs).map(|value| row("workers", value)));
    if inputs.startable > 0 {
        lines.push(row("stopped", format!("{} that can be started", count(inputs.startable, "worker"))));
    }
    lines.push(row("a worker", worker(inputs)));
    lines
}

fn queue(inputs: &DecisionInputs) -> String {
    match (inputs.queue, inputs.failed_samples) {
        (Some(queue), _) => format!("{} visible, {} in flight, {} delayed", queue.visible, queue.in_flight, queue.delayed),
        (None, failed) => format!("could not be sampled, {} in a row", count(failed, "time")),
    }
}

fn gateways(inputs: &DecisionInputs) -> Option<String> {
    let oldest = inputs.oldest_age_seconds.map(|age| format!("the oldest for {}", seconds(age)));
    match (inputs.waiting, oldest) {
        (0, None) => None,
        (0, Some(oldest)) => Some(format!("{oldest} already")),
        (waiting, oldest) => {
            Some(format!("{} waiting{}", count(waiting, "upload"), oldest.map(|oldest| format!(", {oldest}")).unwrap_or_default()))
        }
    }
}

fn windows(inputs: &DecisionInputs) -> Option<String> {
    let lowest = inputs.lowest_recommended.map(|lowest| format!("lowest of the scale-up window {lowest}"));
    let highest = inputs.highest_recommended.map(|highest| format!("highest of the scale-down window {highest}"));
    let both: Vec<String> = lowest.into_iter().chain(highest).collect();
    (!both.is_empty()).then(|| both.join(", "))
}

fn changes(inputs: &DecisionInputs) -> Option<String> {
    let each = inputs.changes.iter().map(|change| format!("{:+} {} ago", change.by, seconds(change.seconds_ago)));
    (!inputs.changes.is_empty()).then(|| each.collect::<Vec<_>>().join(", "))
}

fn groups(inputs: &DecisionInputs) -> Option<String> {
    let each = inputs.workers.iter().map(|group| {
        let ready_in = SignedDuration::try_from_secs_f64(group.ready_in_seconds).unwrap_or_default();
        let when = if ready_in.is_zero() { "ready".to_owned() } else { format!("ready in {}", span(ready_in)) };
        format!("{} {when} ({} jobs/s each)", group.count, rate(group.jobs_per_second))
    });
    (!inputs.workers.is_empty()).then(|| each.collect::<Vec<_>>().join(", "))
}

fn worker(inputs: &DecisionInputs) -> String {
    let known = if inputs.measured { "as measured" } else { "assumed: none was measured yet" };
    let warm = seconds(inputs.boot_warm_seconds);
    format!("{} to boot, {warm} if it was stopped, {} jobs/s ({known})", seconds(inputs.boot_cold_seconds), rate(inputs.jobs_per_second))
}
