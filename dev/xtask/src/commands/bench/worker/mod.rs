//! `cargo xtask bench worker`: one worker and a queue that is full. Owns what is measured and in which order.

mod contender;
mod found;
mod load;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use self::contender::{Contender, Kind};
use self::found::{Figures, Round, caption, measures};
use self::load::Load;
use super::section::Section;
use crate::paths::Paths;
use crate::photos;
use crate::progress::Progress;
use crate::stack::{CloudDelays, Extent, Stack, StackOptions};

pub(super) const ABOUT: &str = "\
One worker and a full queue: jobs about real photos wait in SQS, then one worker does them all. In each round, in turn,

  1. our worker with one thread, so that the other cores are left to the stand-ins for SQS and S3;
  2. the same with the photos in the messages (storage.inlineBytes);
  3. our worker as it is set by default, with as many threads as there are cores;
  4. the plain Python worker (boto3, Pillow, onnxruntime; one message at a time).

All work on the same MiniStack. Shows images per second, calls to AWS and CPU time for each image. What is measured is between
the first and the last tenth of the answers, by the workers' own clocks. Prints medians with the least and the most of all rounds,
and writes bench/worker.json in the folder of the local stack (.dev).";

/// How much to measure.
#[derive(Debug, Args)]
pub(super) struct WorkerArgs {
    /// Rounds, each with all four workers; about a minute each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    rounds: u32,
    /// Jobs for each worker in each round.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    images: u32,
    /// The worker to measure, such as `cargo xtask dist` makes; default: the one that the tests run, whose SDKs are not optimised.
    #[arg(long)]
    worker: Option<PathBuf>,
}

pub(super) async fn run(paths: &Paths, args: WorkerArgs) -> Result<Section> {
    let progress = Progress::printed();
    // The plain worker does at least ten images a second, wherever it runs.
    let limit = Duration::from_secs(600) + Duration::from_secs(30) * args.rounds + Duration::from_millis(400) * args.rounds * args.images;
    let adapt = |options: &mut StackOptions| {
        options.extent = Extent::Aws;
        options.delays = CloudDelays { pending: 0.1, boot: 0.1, describe_lag: 0.0 };
    };
    let program = match &args.worker {
        Some(path) => path.canonicalize().with_context(|| format!("there is no worker at {}", path.display()))?,
        None => paths.program("classifierfleet-worker")?,
    };
    let rounds = async |stack: &Stack| rounds(stack, progress, &args, &program).await;
    let rounds = super::on_private_stack(paths, progress, limit, adapt, rounds).await?;
    let measures = measures(&rounds)?;
    Section::tell(paths, "worker", &caption(rounds.len(), args.images), &measures)
}

async fn rounds(stack: &Stack, progress: Progress, args: &WorkerArgs, program: &Path) -> Result<Vec<Round>> {
    let load = Load::new(stack, photos::load(&stack.tools().photos)?).await?;
    let count = usize::try_from(args.images)?;
    let measure = async |name: &str, kind: Kind<'_>, inline: bool| -> Result<Figures> {
        let figures = measure(stack, &load, kind, inline, count).await.with_context(|| format!("measuring {name}"))?;
        progress.say("bench", format!("{name}: {figures}"));
        Ok(figures)
    };
    let ours = |threads| Kind::Ours { threads, program };
    let mut rounds = Vec::new();
    for number in 1..=args.rounds {
        progress.say("bench", format!("round {number} of {}", args.rounds));
        rounds.push(Round {
            one: measure("one thread", ours(1), false).await?,
            inline: measure("one thread, photos in the messages", ours(1), true).await?,
            all: measure("all cores", ours(0), false).await?,
            peer: measure("plain Python worker", Kind::Peer, false).await?,
        });
    }
    Ok(rounds)
}

async fn measure(stack: &Stack, load: &Load, kind: Kind<'_>, inline: bool, count: usize) -> Result<Figures> {
    load.submit(count, inline).await?;
    let worker = Contender::start(stack, kind).await?;
    load.until_answered(count / 10).await?;
    let (begin, before) = (worker.sample().await?, load.answered().await?);
    load.until_answered(count).await?;
    let (end, after) = (worker.sample().await?, load.answered().await?);
    worker.stop().await?;
    let results = load.collect(count).await?;
    let threads = match kind {
        Kind::Ours { threads: 0, .. } => std::thread::available_parallelism().map_or(1, usize::from),
        Kind::Ours { threads, .. } => threads,
        Kind::Peer => 1,
    };
    Figures::new(&results, threads, [(begin, before), (end, after)])
}
