//! One thing after another, each with a header, its output as it comes, its time and its outcome.

use std::fmt::Write as _;
use std::fs::File;
use std::future::Future;
use std::io::IsTerminal as _;
use std::num::NonZero;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, stream};
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::counts::Counts;
use super::suite::Suite;
use crate::paths::Paths;
use crate::process::signal_group;
use crate::progress::{coloured, line};

/// Programs of tests at a time: two for each processor, for they wait most of their time; and no more than these, for the memory of a
/// stack each.
const MOST_AT_ONCE: usize = 6;

/// A program of tests that takes longer than this is stuck: the longest takes half of it on two processors.
const LONGEST: Duration = Duration::from_mins(30);

/// What was done so far.
pub(super) struct Steps<'a> {
    paths: &'a Paths,
    /// What has not ended by then is ended.
    deadline: Option<Instant>,
    env: Vec<(String, String)>,
    done: Vec<Done>,
}

/// A program and what it runs, such as cargo and its tests: they end with us when we are interrupted.
struct Group(Option<i32>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|pid| i32::try_from(pid).ok()))
    }

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

/// Runs a program in a group of its own until `deadline`; says whether it succeeded. `meanwhile` has its output, if that is piped.
async fn run(
    name: &str,
    mut command: Command,
    deadline: Option<Instant>,
    meanwhile: impl AsyncFnOnce(Option<ChildStdout>) -> Result<()>,
) -> Result<bool> {
    let mut child = command.stdin(Stdio::null()).process_group(0).spawn().with_context(|| format!("{name} cannot be run"))?;
    let group = Group::of(&child);
    let output = child.stdout.take();
    let ended = async {
        meanwhile(output).await?;
        anyhow::Ok(child.wait().await?.success())
    };
    let Some(outcome) = before(deadline, ended).await else {
        line(format!("{name} has taken too long, and is ended"));
        return Ok(false);
    };
    group.has_ended();
    outcome
}

/// What comes of it before `deadline`.
async fn before<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work).await.ok(),
        None => Some(work.await),
    }
}

/// Runs a program, handing over what it prints; says whether it succeeded.
async fn each_line(name: &str, mut command: Command, deadline: Option<Instant>, mut each: impl FnMut(String)) -> Result<bool> {
    command.stdout(Stdio::piped());
    let read = async |output: Option<ChildStdout>| {
        let mut lines = BufReader::new(output.with_context(|| format!("{name} has no output"))?).lines();
        while let Some(text) = lines.next_line().await? {
            each(text);
        }
        Ok(())
    };
    run(name, command, deadline, read).await
}

/// Runs tests, all that they print going into a file; says whether they succeeded.
async fn to_file(suite: &Suite, args: &[&str], env: &[(String, String)], deadline: Instant, log: &Path) -> Result<bool> {
    let file = File::create(log).with_context(|| format!("{} cannot be made", log.display()))?;
    let mut command = suite.command();
    command.args(args).envs(env.iter().cloned()).stdout(file.try_clone()?).stderr(file);
    run(&suite.name, command, Some(deadline), async |_| Ok(())).await
}

struct Done {
    name: String,
    took: Duration,
    counts: Counts,
}

impl<'a> Steps<'a> {
    pub(super) fn new(paths: &'a Paths, deadline: Option<Instant>) -> Self {
        Self { paths, deadline, env: Vec::new(), done: Vec::new() }
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
        command.current_dir(&self.paths.root);
        let mut counts = Counts::default();
        let success = each_line(name, command, self.deadline, |text| {
            counts.read(&text);
            line(text);
        });
        let success = success.await?;
        self.end(name, begun, counts, success);
        Ok(success)
    }

    /// Compiles all tests, and returns the programs that they are; none when one does not compile.
    pub(super) async fn compile(&mut self) -> Result<Vec<Suite>> {
        let args = ["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"];
        line(format!("\n== tests, compiled: cargo {}", args.join(" ")));
        let begun = Instant::now();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(args).current_dir(&self.paths.root);
        let mut suites = Vec::new();
        let success = each_line("cargo", cargo, self.deadline, |message| suites.extend(Suite::read(&message))).await?;
        // None at all would pass as well.
        self.end("tests, compiled", begun, Counts::default(), success && !suites.is_empty());
        if !success {
            suites.clear();
        }
        Ok(suites)
    }

    /// Runs programs of tests side by side, those that take longest first. Each one's output is shown when it has ended, and lies in
    /// `folder` from the beginning.
    pub(super) async fn suites(&mut self, folder: &Path, mut suites: Vec<Suite>, args: &[&str]) -> Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let at_once = (2 * processors).min(MOST_AT_ONCE);
        suites.sort_by_key(|suite| !suite.is_long());
        line(format!("\n== tests: {} programs, {at_once} at once; their output: {}", suites.len(), folder.display()));
        let (env, deadline) = (self.env.clone(), self.deadline);
        let run = |suite: Suite| {
            let log = folder.join(format!("{}.log", suite.name.replace('/', "-")));
            let env = &env;
            async move {
                line(format!("-- {} begins", suite.name));
                let begun = Instant::now();
                let deadline = deadline.into_iter().fold(begun + LONGEST, Instant::min);
                let success = to_file(&suite, args, env, deadline, &log).await?;
                anyhow::Ok((suite.name, begun, std::fs::read_to_string(&log)?, success))
            }
        };
        let mut ended = stream::iter(suites).map(run).buffer_unordered(at_once);
        while let Some(outcome) = ended.next().await {
            let (name, begun, output, success) = outcome?;
            let mut counts = Counts::default();
            output.lines().for_each(|line| counts.read(line));
            line(format!("\n== {name}: {:.1} s\n{}", begun.elapsed().as_secs_f64(), output.trim()));
            self.end(&name, begun, counts, success);
        }
        Ok(())
    }

    /// Runs something of our own; says what came of it.
    pub(super) async fn check<T>(&mut self, name: &str, work: impl Future<Output = Result<T>>) -> Option<T> {
        line(format!("\n== {name}"));
        let begun = Instant::now();
        let outcome = before(self.deadline, work).await.unwrap_or_else(|| bail!("{name} has taken too long"));
        let outcome = outcome.inspect_err(|error| line(format!("{error:#}"))).ok();
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
