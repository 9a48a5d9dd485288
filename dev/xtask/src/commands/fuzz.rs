//! `cargo xtask fuzz`: looks for bytes that end the process or take more memory than they may.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::Progress;
use crate::tools::fuzzer;

/// What to fuzz, and for how long.
#[derive(Debug, Args)]
pub(super) struct FuzzArgs {
    /// Which targets; all when none is named.
    #[arg(value_enum)]
    targets: Vec<Target>,
    /// Seconds for each.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The body of a queue's message.
    Job,
    /// `model.json`.
    Manifest,
    /// An uploaded file.
    Decode,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Manifest => "manifest",
            Self::Decode => "decode",
        }
    }

    /// MiB of the whole process, and of one allocation. The sanitizer's own memory counts.
    fn limits(self) -> [u32; 2] {
        match self {
            Self::Job | Self::Manifest => [256, 16],
            Self::Decode => [512, 34],
        }
    }
}

pub(super) async fn run(paths: &Paths, args: FuzzArgs) -> Result<()> {
    let progress = Progress::printed();
    let program = fuzzer::ensure(paths, progress).await?;
    let targets = if args.targets.is_empty() { Target::value_variants() } else { &args.targets };
    for &target in targets {
        progress.say(target.name(), format!("fuzzing it for {} s (the first build takes minutes)", args.seconds));
        fuzz(paths, &program, target, args.seconds).await?;
        progress.say(target.name(), "nothing was found");
    }
    Ok(())
}

/// What is new goes to a corpus of this machine; the one in the repository is only read.
async fn fuzz(paths: &Paths, program: &Path, target: Target, seconds: u64) -> Result<()> {
    let name = target.name();
    let work = paths.dev.join("fuzz");
    let (corpus, found) = (work.join("corpus").join(name), work.join("found"));
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let [process, allocation] = target.limits();
    let mut fuzzer = Command::new(program);
    fuzzer.current_dir(&paths.root).args(["fuzz", "run", "--fuzz-dir", "fuzz", "--target-dir"]).arg(work.join("target"));
    fuzzer.arg(name).arg(&corpus).arg(paths.root.join("fuzz/corpus").join(name)).arg("--");
    fuzzer.args([format!("-max_total_time={seconds}"), format!("-rss_limit_mb={process}"), format!("-malloc_limit_mb={allocation}")]);
    fuzzer.args(["-timeout=60".to_owned(), "-max_len=65536".to_owned(), format!("-artifact_prefix={}/{name}-", found.display())]);
    // The sanitizer is an unstable option of the compiler; it need not be another compiler.
    let status = fuzzer.env("RUSTC_BOOTSTRAP", "1").kill_on_drop(true).status().await.context("cargo-fuzz cannot be run")?;
    ensure!(
        status.success(),
        "{name}: something was found, or it does not build. The bytes are in {}: mend it, and add them to fuzz/corpus/{name}",
        found.display()
    );
    Ok(())
}
