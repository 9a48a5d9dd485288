//! Deliberate bugs: each is put into a copy of the sources, which the lab must fail.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

use super::{build, lab};
use crate::paths::Paths;
use crate::progress::Progress;

/// Each must be caught within so many seeds.
const SEEDS: &str = "1000";

pub(super) async fn run(paths: &Paths, progress: Progress, args: &[String]) -> Result<()> {
    let copy = paths.dev.join("lab/mutant");
    // Of its own: cargo tells members of a workspace apart by where they lie in it, and would take what it made of the copy for ours.
    let target = paths.dev.join("lab/target");
    let files = tracked(&paths.root).await?;
    let mut missed = Vec::new();
    for patch in patches(&paths.root)? {
        let name = patch.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !args.is_empty() && !args.contains(&name) {
            continue;
        }
        files.iter().try_for_each(|file| refresh(&paths.root.join(file), &copy.join(file)))?;
        apply(&patch, &copy).await?;
        progress.say(&name, "building it");
        build(&copy, &target).await?;
        let arguments = ["--seeds", SEEDS, "--fail-fast", "--no-shrink"].map(str::to_owned);
        let output = lab(&target.join("debug/lab"), &arguments).output().await.context("the lab cannot be run")?;
        let told = String::from_utf8_lossy(&output.stdout);
        match output.status.code() {
            Some(0) => missed.push(name),
            Some(1) => progress.say(&name, format!("found. {}", told.trim_end().replace('\n', "\n    "))),
            _ => bail!("{name}: the lab ended by {}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
        }
    }
    ensure!(missed.is_empty(), "not found within {SEEDS} seeds: {}", missed.join(", "));
    Ok(())
}

fn patches(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("dev/lab/mutants");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut patches: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    patches.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    patches.sort();
    Ok(patches)
}

/// What git knows, and what is new and not ignored.
async fn tracked(root: &Path) -> Result<Vec<String>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").current_dir(root).args(list).output().await.context("git cannot be run")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).context("a file's name is no UTF-8")?;
    Ok(names.split('\0').filter(|name| !name.is_empty() && root.join(name).is_file()).map(str::to_owned).collect())
}

/// Copies a file unless it is there: what has not changed need not be compiled again.
fn refresh(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

async fn apply(patch: &Path, copy: &Path) -> Result<()> {
    let mut git = Command::new("git");
    // The copy lies inside of a repository, which is none of git's business here.
    git.current_dir(copy).env("GIT_CEILING_DIRECTORIES", copy.parent().unwrap_or(copy)).arg("apply").arg(patch);
    let output = git.output().await.context("git cannot be run")?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} does not fit the sources any more, make it anew: {why}", patch.display());
    Ok(())
}
