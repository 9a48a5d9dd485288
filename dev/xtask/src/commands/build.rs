//! Building all programs and making all tools, at the same time.

use std::fs::File;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::Progress;
use crate::tools::Tools;
use crate::wait::tail;

/// What the stack is made of, ready to be started.
///
/// # Errors
/// When a program does not build or a tool cannot be made: which, and where its log is.
pub(super) async fn everything(paths: &Paths, progress: Progress) -> Result<Tools> {
    let (tools, ()) = tokio::try_join!(Tools::ensure(paths, progress), programs(paths, progress))?;
    Ok(tools)
}

async fn programs(paths: &Paths, progress: Progress) -> Result<()> {
    let log = paths.build_log("cargo");
    std::fs::create_dir_all(log.parent().unwrap_or(&log))?;
    progress.say("programs", format!("building with cargo (the first time 10 minutes on 2 cores, later seconds; log {})", log.display()));
    let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&paths.root).args(["build", "--workspace", "--bins"]).kill_on_drop(true);
    cargo.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let status = progress.during("programs", cargo.status()).await.context("cargo cannot be run")?;
    ensure!(status.success(), "the programs do not build. {}", tail(&log));
    progress.say("programs", "built");
    Ok(())
}
