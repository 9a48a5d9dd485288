//! One thing after another, each with a header, its output as it comes, its time and its outcome.

use std::fmt::Write as _;
use std::future::Future;
use std::io::IsTerminal as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::counts::Counts;
use crate::paths::Paths;
use crate::process::signal_group;
use crate::progress::{coloured, line};

/// What was done so far.
pub(super) struct Steps<'a> {
    paths: &'a Paths,
    env: Vec<(String, String)>,
    done: Vec<Done>,
}

/// A program and what it runs, such as cargo and its tests: they end with us when we are interrupted.
struct Group(Option<i32>);

impl Group {
    fn has_ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            signal_group(group, Signal::SIGTERM);
        }
    }
}

struct Done {
    name: String,
    took: Duration,
    counts: Counts,
}

impl<'a> Steps<'a> {
    pub(super) fn new(paths: &'a Paths) -> Self {
        Self { paths, env: Vec::new(), done: Vec::new() }
    }

    /// Environment of the steps to come.
    pub(super) fn env(&mut self, env: Vec<(String, String)>) {
        self.env.extend(env);
    }

    /// Runs cargo; says whether it succeeded.
    pub(super) async fn cargo(&mut self, name: &str, args: &[&str]) -> Result<bool> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(args).envs(self.env.iter().cloned());
        if std::io::stdout().is_terminal() {
            cargo.env("CARGO_TERM_COLOR", "always");
        }
        self.program(&format!("{name}: cargo {}", args.join(" ")), name, cargo).await
    }

    /// Runs a program in the checkout, under a header; says whether it succeeded. What it prints in cargo's words is counted.
    pub(super) async fn program(&mut self, header: &str, name: &str, mut command: Command) -> Result<bool> {
        line(format!("\n== {header}"));
        let begun = Instant::now();
        command.current_dir(&self.paths.root).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.process_group(0).spawn().with_context(|| format!("{name} cannot be run"))?;
        let group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()));
        let mut lines = BufReader::new(child.stdout.take().with_context(|| format!("{name} has no output"))?).lines();
        let mut counts = Counts::default();
        while let Some(text) = lines.next_line().await? {
            counts.read(&text);
            line(text);
        }
        let success = child.wait().await?.success();
        group.has_ended();
        self.end(name, begun, counts, success);
        Ok(success)
    }

    /// Runs something of our own; says what came of it.
    pub(super) async fn check<T>(&mut self, name: &str, work: impl Future<Output = Result<T>>) -> Option<T> {
        line(format!("\n== {name}"));
        let begun = Instant::now();
        let outcome = work.await.inspect_err(|error| line(format!("{error:#}"))).ok();
        self.end(name, begun, Counts::default(), outcome.is_some());
        outcome
    }

    /// Leaves something out, which counts as one test.
    pub(super) fn skip(&mut self, name: &str, why: &anyhow::Error) {
        line(format!("\n== {name}: skipped: {why:#}"));
        self.end(name, Instant::now(), Counts { skipped: 1, ..Counts::default() }, true);
    }

    /// A step that failed without a test that failed counts as one.
    fn end(&mut self, name: &str, begun: Instant, mut counts: Counts, success: bool) {
        if !success && counts.failed == 0 {
            counts.failed = 1;
        }
        self.done.push(Done { name: name.to_owned(), took: begun.elapsed(), counts });
    }

    /// All tests, and the steps that failed.
    pub(super) fn counts(&self) -> Counts {
        self.done.iter().fold(Counts::default(), |mut all, done| {
            all += done.counts;
            all
        })
    }

    /// One line for each step.
    pub(super) fn summary(&self) -> String {
        let mut text = String::new();
        for Done { name, took, counts } in &self.done {
            let outcome = match counts {
                Counts { failed: 1.., .. } => coloured(false, "failed"),
                Counts { passed: 0, skipped: 1.., .. } => "skipped".to_owned(),
                _ => coloured(true, "passed"),
            };
            let _ = writeln!(text, "{:>7.1} s  {outcome}  {name}", took.as_secs_f64());
        }
        text
    }
}
