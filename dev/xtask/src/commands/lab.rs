//! `cargo xtask lab`: the operator in virtual time against faults; and whether the lab would notice if the operator were wrong.

mod mutants;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::Progress;

/// What to run.
#[derive(Debug, Args)]
#[command(trailing_var_arg = true)]
pub(super) struct LabArgs {
    /// Put each deliberate bug of dev/lab/mutants into a copy of the sources, and demand that the lab finds it.
    #[arg(long)]
    mutants: bool,
    /// For the lab: --seeds 10000, --from N, --seed N, --script FILE … (`-- --help` lists them).
    #[arg(allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(super) async fn run(paths: &Paths, args: LabArgs) -> Result<()> {
    let progress = Progress::printed();
    if args.mutants {
        return mutants::run(paths, progress, &args.args).await;
    }
    progress.say("lab", "building it");
    build(&paths.root, paths.program("xtask")?.ancestors().nth(2).context("the programs have no folder")?).await?;
    let status = lab(&paths.program("lab")?, &args.args).status().await.context("the lab cannot be run")?;
    ensure!(status.success(), "a promise was broken: see above");
    Ok(())
}

/// Builds the lab of the sources in `root` into the target folder `target`.
async fn build(root: &Path, target: &Path) -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    let status =
        cargo.current_dir(root).args(["build", "--quiet", "--bin", "lab", "--target-dir"]).arg(target).kill_on_drop(true).status().await;
    ensure!(status.context("cargo cannot be run")?.success(), "the lab in {} does not build", root.display());
    Ok(())
}

fn lab(program: &Path, args: &[String]) -> Command {
    let mut lab = Command::new(program);
    lab.args(args).kill_on_drop(true);
    lab
}
