//! `cargo xtask bench`: measures the whole system. Every benchmark prints a table and writes `bench/NAME.json` in the
//! folder of the local stack. Owns the private stack that they run on; must not know what is measured.

mod bars;
mod client;
mod fleet;
mod gateway;
mod infer;
mod path;
mod peer;
mod policies;
mod received;
mod report;
mod scale;
mod section;
mod usage;
mod worker;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, Subcommand};
use tokio::process::Command;

use super::build;
use crate::paths::Paths;
use crate::process::Supervisor;
use crate::progress::{Progress, line};
use crate::stack::{self, Stack, StackOptions};

/// Which benchmark to run.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    benchmark: Benchmark,
    /// Puts what was found into docs/benchmarks.md, too.
    #[arg(long, global = true)]
    docs: bool,
}

#[derive(Debug, Subcommand)]
enum Benchmark {
    /// Each of them in turn, about an hour on 2 cores, with `--docs`.
    All(AllArgs),
    /// Uploads in, labels out, with workers that answer at once, next to a plain Python gateway: rate, times, CPU, memory.
    #[command(long_about = gateway::ABOUT)]
    Gateway(gateway::GatewayArgs),
    /// One network on one thread: fused tract, plain tract and onnxruntime; and decoding photos.
    #[command(long_about = infer::ABOUT)]
    Infer(infer::InferArgs),
    /// An image in, its label out: to the launch call, cold and warm, next to a plain Python worker.
    #[command(long_about = path::ABOUT)]
    Path(path::PathArgs),
    /// Our fleets and other people's policies under six loads, in virtual time: times, starts, costs, and the best possible.
    #[command(long_about = policies::ABOUT)]
    Policies(policies::PoliciesArgs),
    /// One operator with 1,000 fleets and 10,000 instances: CPU, memory, calls, reaction.
    #[command(long_about = scale::ABOUT)]
    Scale(scale::ScaleArgs),
    /// One worker and a full queue, next to a plain Python worker: images per second, calls to AWS, CPU time.
    #[command(long_about = worker::ABOUT)]
    Worker(worker::WorkerArgs),
}

/// What is measured as it is released; default: what the tests run, whose SDKs are not optimised.
#[derive(Debug, Args)]
struct AllArgs {
    /// The worker, such as `cargo xtask dist --program worker` makes.
    #[arg(long)]
    worker: Option<PathBuf>,
    /// The gateway, such as `cargo xtask dist --program gateway` makes.
    #[arg(long)]
    gateway: Option<PathBuf>,
}

impl AllArgs {
    /// What is for the benchmark of this name.
    fn of(&self, name: &str) -> Vec<&OsStr> {
        let (option, program) = match name {
            "worker" => ("--worker", &self.worker),
            "gateway" => ("--gateway", &self.gateway),
            _ => return Vec::new(),
        };
        program.iter().flat_map(|program| [OsStr::new(option), program.as_os_str()]).collect()
    }
}

/// All of them, the quick ones first.
const ALL: [&str; 6] = ["policies", "path", "worker", "gateway", "infer", "scale"];

pub(super) async fn run(paths: &Paths, args: BenchArgs) -> Result<()> {
    let section = match args.benchmark {
        Benchmark::All(args) => return all(&args).await,
        Benchmark::Gateway(args) => gateway::run(paths, args).await?,
        Benchmark::Infer(args) => infer::run(paths, args).await?,
        Benchmark::Path(args) => path::run(paths, args).await?,
        Benchmark::Policies(args) => policies::run(paths, args).await?,
        Benchmark::Scale(args) => scale::run(paths, args).await?,
        Benchmark::Worker(args) => worker::run(paths, args).await?,
    };
    if args.docs {
        section.put(paths, std::env::args().skip(1)).await?;
    }
    Ok(())
}

/// Each as a process of its own, as a person runs it: what one leaves in memory is not measured with the next.
async fn all(args: &AllArgs) -> Result<()> {
    // Before one of them builds it anew: Linux then says that the file is deleted.
    let own = std::env::current_exe()?;
    for name in ALL {
        line(format!("\n== cargo xtask bench {name} --docs"));
        let mut bench = Command::new(&own);
        bench.args(["bench", name, "--docs"]).args(args.of(name)).kill_on_drop(true);
        ensure!(bench.status().await?.success(), "bench {name} failed, as it says above; those before it are in docs/benchmarks.md");
    }
    Ok(())
}

/// Builds what is missing, then runs `measure` on a stack of its own. Whatever happens, no process of it is left.
///
/// # Errors
/// When something does not build or start, when `measure` fails or takes longer than `limit`, or on SIGINT or SIGTERM.
async fn on_private_stack<T>(
    paths: &Paths,
    progress: Progress,
    limit: Duration,
    adapt: impl FnOnce(&mut StackOptions),
    measure: impl AsyncFnOnce(&Stack) -> Result<T>,
) -> Result<T> {
    let folder = paths.dev.join("bench");
    let _lock = alone(&folder)?;
    let tools = build::everything(paths, progress).await?;
    let supervisor = Supervisor::new(&folder.join("stack"))?;
    stack::end_all(&supervisor).await.context("what an earlier benchmark left cannot be ended")?;
    let mut options = StackOptions::new(supervisor.dir().to_path_buf());
    options.progress = progress;
    adapt(&mut options);
    let stop = service::shutdown::on_signal()?;
    let work = async {
        let stack = Stack::start(paths.clone(), tools, options).await?;
        let outcome = measure(&stack).await;
        progress.say("bench", "ending everything");
        stack.stop().await?;
        outcome
    };
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(limit, work) => outcome,
        () = stop.cancelled() => Ok(Err(anyhow::anyhow!("stopped by a signal"))),
    };
    // The stack ends when it is dropped, too; but not one that was still being started.
    stack::end_all(&supervisor).await?;
    match outcome {
        Ok(outcome) => outcome.with_context(|| format!("the benchmark failed; logs: {}/logs", supervisor.dir().display())),
        Err(_) => bail!("the benchmark did not end within {} s; logs: {}/logs", limit.as_secs(), supervisor.dir().display()),
    }
}

/// Benchmarks share a folder, and would disturb each other. Locked until the file is dropped.
fn alone(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join("lock"))?;
    lock.try_lock().context("another benchmark is running; wait until it has ended")?;
    Ok(lock)
}
