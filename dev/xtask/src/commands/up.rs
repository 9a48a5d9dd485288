//! `cargo xtask up`: the whole system on this machine, left running.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;

use super::build;
use crate::paths::Paths;
use crate::process::Supervisor;
use crate::progress::{Progress, line};
use crate::stack::{Stack, StackOptions};
use crate::tools::Tools;

/// How to start the system.
#[derive(Debug, Clone, Args)]
pub(super) struct UpArgs {
    /// Use this context of your kubeconfig instead of a local Kubernetes.
    #[arg(long)]
    context: Option<String>,
    /// The fleet to apply.
    #[arg(long, default_value = "examples/imagenet.yaml")]
    fleet: PathBuf,
}

pub(super) async fn run(paths: Paths, args: UpArgs) -> Result<()> {
    let stack = start(paths, args, Progress::printed()).await?;
    let dir = stack.dir().display();
    line("\nEverything runs. In this shell, for kubectl, aws, curl and your own client:\n");
    line(format!("    source {dir}/env"));
    line("    kubectl get cfleet");
    if stack.gateway_url().is_ok() {
        line("    curl -F myfile=@photo.jpg $GATEWAY_URL/upload");
    }
    line(format!("\nLogs: {dir}/logs. What runs: cargo xtask status. To end it: cargo xtask down."));
    Ok(())
}

/// Builds and starts what is missing.
///
/// # Errors
/// When something does not build or start. What was started stays, for `status`, the logs and `down`.
pub(super) async fn start(paths: Paths, args: UpArgs, progress: Progress) -> Result<Stack> {
    let tools = build::everything(&paths, progress).await?;
    let mut options = StackOptions::new(paths.dev.clone());
    options.detached = true;
    options.context = args.context;
    options.fleet = args.fleet;
    options.progress = progress;
    link_kubectl(&Supervisor::new(&paths.dev)?, &tools)?;
    Stack::start(paths, tools, options)
        .await
        .context("the stack is not complete; `cargo xtask status` tells what runs, `cargo xtask down` ends it")
}

/// `bin/kubectl`, so that nobody needs one of their own.
fn link_kubectl(supervisor: &Supervisor, tools: &Tools) -> Result<()> {
    let folder = supervisor.dir().join("bin");
    std::fs::create_dir_all(&folder)?;
    let link = folder.join("kubectl");
    let _ = std::fs::remove_file(&link);
    Ok(std::os::unix::fs::symlink(tools.kubernetes.join("kubectl"), link)?)
}
