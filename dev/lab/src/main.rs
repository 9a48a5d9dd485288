//! `cargo xtask lab` runs this program: see its `--help`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, fs, thread};

use anyhow::{Context as _, anyhow, ensure};
use clap::Parser;
use lab::run::{Report, run};
use lab::script::Script;
use lab::shrink::shrink;

/// Between two lines that say how far it is.
const TELL_EVERY: u64 = 500;

/// Runs the operator in virtual time against faults drawn by seeds, and checks what it promises.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
struct Args {
    /// Run this seed alone, and print each call.
    #[arg(long, conflicts_with = "script")]
    seed: Option<u64>,
    /// Run this script, as a failing seed prints it, and print each call.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Print what the run came to, and no calls.
    #[arg(long, hide = true, requires = "script")]
    report: bool,
    /// How many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many at a time; default: as many as there are cores.
    #[arg(long)]
    jobs: Option<NonZeroUsize>,
    /// Stop after the first that fails.
    #[arg(long)]
    fail_fast: bool,
    /// Do not shorten scripts that fail.
    #[arg(long)]
    no_shrink: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let alone = match (&args.seed, &args.script) {
        (Some(seed), _) => Some(Script::draw(*seed)),
        (None, Some(path)) => Some(serde_json::from_str(&fs::read_to_string(path)?)?),
        (None, None) => None,
    };
    let failures = match alone {
        Some(script) if args.report => {
            println!("{}", serde_json::to_string(&run(&script, false)?)?);
            0
        }
        Some(script) => usize::from(one(&script)?),
        None => many(&args)?,
    };
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether it fails.
fn one(script: &Script) -> anyhow::Result<bool> {
    eprintln!("{}", serde_json::to_string(script)?);
    let report = run(script, true)?;
    report.verdict.broken.iter().for_each(|broken| println!("broken: {broken}"));
    println!("{report:?}");
    Ok(!report.verdict.broken.is_empty())
}

/// Runs `script` in a process of its own: the AWS SDKs of one process share how often they may still try again, so that a run would
/// depend on those before and beside it, and could not be repeated alone.
fn apart(script: &Script) -> anyhow::Result<Report> {
    let mut lab = Command::new(env::current_exe()?);
    let mut lab = lab.args(["--report", "--script", "/dev/stdin"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = lab.stdin.take().context("no way to write to the run")?;
    stdin.write_all(serde_json::to_string(script)?.as_bytes())?;
    drop(stdin);
    let output = lab.wait_with_output()?;
    ensure!(output.status.success(), "the run of seed {} ended by {}", script.seed, output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What many runs came to.
#[derive(Debug, Default)]
struct Sum {
    seeds: u64,
    failures: usize,
    seconds: f64,
    calls: u64,
    launches: usize,
    slowest_rest: f64,
    ec2_calls_a_minute: u32,
    faults: BTreeMap<&'static str, u64>,
}

fn many(args: &Args) -> anyhow::Result<usize> {
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let progress = Progress { next: AtomicU64::new(args.from), done: AtomicU64::new(0), failed: AtomicU64::new(0) };
    let sums = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(|| share(args, &progress))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(anyhow!("a run panicked")))).collect::<Vec<_>>()
    });
    let mut total = Sum::default();
    for sum in sums {
        total.merge(sum?);
    }
    println!("{}", serde_json::to_string(&total.figures())?);
    Ok(total.failures)
}

/// How far all are.
struct Progress {
    /// The next seed to run: whoever is free takes it.
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    /// One more seed is done; says so now and then.
    fn step(&self, args: &Args, fails: bool) {
        let failed = self.failed.fetch_add(u64::from(fails), Ordering::Relaxed) + u64::from(fails);
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(TELL_EVERY) {
            eprintln!("{done} of {} seeds, {failed} failed", args.seeds);
        }
    }
}

/// Runs seeds until there are no more.
fn share(args: &Args, progress: &Progress) -> anyhow::Result<Sum> {
    let (mut sum, end) = (Sum::default(), args.from + args.seeds);
    loop {
        let seed = progress.next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return Ok(sum);
        }
        let script = Script::draw(seed);
        let report = apart(&script)?;
        let broken = report.verdict.broken.clone();
        sum.add(&script, report);
        progress.step(args, !broken.is_empty());
        if broken.is_empty() {
            continue;
        }
        sum.failures += 1;
        if args.fail_fast {
            progress.next.store(end, Ordering::Relaxed);
        }
        fail(args, &script, &broken)?;
    }
}

fn fail(args: &Args, script: &Script, broken: &[String]) -> anyhow::Result<()> {
    let list = broken.join("\n  ");
    println!("seed {} fails:\n  {list}", script.seed);
    if args.no_shrink {
        return Ok(());
    }
    let shrunk = shrink(script, |script| apart(script).is_ok_and(|report| !report.verdict.broken.is_empty()));
    println!("seed {}: to repeat, write this into a file and give it by --script:\n{}", script.seed, serde_json::to_string(&shrunk)?);
    Ok(())
}

impl Sum {
    fn add(&mut self, script: &Script, report: Report) {
        self.seeds += 1;
        self.seconds += report.seconds;
        self.calls += report.verdict.calls;
        self.launches += report.launches;
        self.slowest_rest = self.slowest_rest.max(report.rest_seconds);
        self.ec2_calls_a_minute = self.ec2_calls_a_minute.max(report.verdict.ec2_calls_a_minute);
        for fault in script.all_faults() {
            *self.faults.entry(fault.kind.name()).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        let Self { seeds, failures, seconds, calls, launches, slowest_rest, ec2_calls_a_minute, faults } = other;
        self.seeds += seeds;
        self.failures += failures;
        self.seconds += seconds;
        self.calls += calls;
        self.launches += launches;
        self.slowest_rest = self.slowest_rest.max(slowest_rest);
        self.ec2_calls_a_minute = self.ec2_calls_a_minute.max(ec2_calls_a_minute);
        for (name, count) in faults {
            *self.faults.entry(name).or_default() += count;
        }
    }

    fn figures(&self) -> serde_json::Value {
        serde_json::json!({
            "seeds": self.seeds, "failures": self.failures, "virtualHours": (self.seconds / 360.0).round() / 10.0, "calls": self.calls,
            "launches": self.launches, "slowestRestSeconds": self.slowest_rest.round(), "mostEc2CallsAMinute": self.ec2_calls_a_minute,
            "faults": self.faults,
        })
    }
}
