//! `cargo xtask bench infer`: one network on one thread, next to onnxruntime. Owns what is measured and in which order.

mod found;
mod side;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tokio::process::Command;

use self::found::{Found, caption, measures};
use self::side::Side;
use super::section::Section;
use crate::paths::Paths;
use crate::progress::Progress;
use crate::tools::Tools;

pub(super) const ABOUT: &str = "\
One image through a network, on one thread: each model of this repository with tract as it is, with our fused operators for each
instruction set of this CPU, and with onnxruntime; and a photo decoded and resized, by us and by Pillow. In each round all of
them run in turn, and the quickest of the round's runs counts, so that what else the machine does disturbs little.

First it compares what the networks answer for 20 photos: fused and not fused must agree within 1e-5. Prints medians with the
least and the most of all rounds, and writes bench/infer.json in the folder of the local stack (.dev).";

/// How far fused and not fused may differ, in any number that a network gives.
const TOLERANCE: f32 = 1e-5;
const EXAMPLE: &str = "measure";
const BASELINE: &str = "dev/baselines/infer.py";

/// How much to measure.
#[derive(Debug, Args)]
pub(super) struct InferArgs {
    /// Rounds, each with all engines.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Runs of each engine in each round.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
}

pub(super) async fn run(paths: &Paths, args: InferArgs) -> Result<Section> {
    let progress = Progress::printed();
    let folder = paths.dev.join("bench");
    let _lock = super::alone(&folder)?;
    let tools = Tools::ensure(paths, progress).await?;
    let models = tools.models(paths, progress).await?;
    let program = build(paths, progress).await?;
    let mut found = Vec::new();
    for model in models {
        let sides = Sides::start(paths, &tools, &program, model).await?;
        found.push(sides.measure(progress, &args).await?);
    }
    let measures = measures(&found)?;
    Section::tell(paths, "infer", &caption(args.rounds, args.runs), &measures)
}

/// Builds our side as it is released, and returns its program: what tests run has tract hardly optimised.
async fn build(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    progress.say("bench", "building with cargo (the first time 20 minutes on 2 cores, later seconds)");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&paths.root).args(["build", "--release", "--quiet", "--example", EXAMPLE]).kill_on_drop(true);
    let status = progress.during("bench", cargo.status()).await.context("cargo cannot be run")?;
    ensure!(status.success(), "the example {EXAMPLE} does not build: cargo says above why");
    let own = std::env::current_exe()?;
    let target = own.ancestors().nth(2).context("this program lies in no folder of cargo's")?;
    Ok(target.join("release/examples").join(EXAMPLE))
}

/// Ours and theirs, with one model.
struct Sides {
    model: String,
    ours: Side,
    theirs: Side,
}

impl Sides {
    async fn start(paths: &Paths, tools: &Tools, program: &PathBuf, model: PathBuf) -> Result<Self> {
        let folders = [("--model", &model), ("--photos", &tools.photos)];
        let mut ours = Command::new(program);
        let mut theirs = Command::new(tools.python_program("python"));
        theirs.arg("-B").arg(paths.root.join(BASELINE));
        for (name, folder) in folders {
            ours.arg(name).arg(folder);
            theirs.arg(name).arg(folder);
        }
        // The folder is named after the model and the hash of what it was made from.
        let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.rsplit_once('-').map_or(name.as_str(), |(name, _)| name).to_owned();
        Ok(Self { model: name, ours: Side::start("ours", ours).await?, theirs: Side::start("onnxruntime", theirs).await? })
    }

    async fn measure(mut self, progress: Progress, args: &InferArgs) -> Result<Found> {
        let difference = self.compare().await?;
        progress.say("bench", format!("{}: fused and not fused differ by {difference:.1e} at most", self.model));
        let mut found = Found::new(self.model.clone());
        for round in 1..=args.rounds {
            for name in self.ours.names().to_vec() {
                found.ours(&name, self.ours.time(&name, args.runs).await?);
            }
            for name in self.theirs.names().to_vec() {
                found.theirs(&name, self.theirs.time(&name, args.runs).await?);
            }
            progress.say("bench", format!("{}: round {round} of {}: {found}", self.model, args.rounds));
        }
        Ok(found)
    }

    /// The largest difference between what fused and unfused networks answer.
    async fn compare(&mut self) -> Result<f32> {
        let plain = self.ours.answer(found::PLAIN).await?;
        let mut most = 0.0_f32;
        for name in self.ours.names().to_vec() {
            if name == found::PLAIN || name == found::PREPARE {
                continue;
            }
            let fused = self.ours.answer(&name).await?;
            ensure!(fused.len() == plain.len(), "{}: {name} gives {} numbers, not {}", self.model, fused.len(), plain.len());
            let difference = fused.iter().zip(&plain).map(|(fused, plain)| (fused - plain).abs()).fold(0.0, f32::max);
            let met = difference <= TOLERANCE;
            ensure!(met, "{}: {name} differs from plain tract by {difference}, more than {TOLERANCE}: a kernel is wrong", self.model);
            most = most.max(difference);
        }
        Ok(most)
    }
}
