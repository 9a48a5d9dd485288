//! Whether a commit makes the same program wherever it is built: it is built twice, from nothing, in folders of different names.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::build::Builder;
use super::target::Target;
use crate::progress::line;
use crate::release::{self, Source, git};

/// Builds the commit of the checkout `root` twice below `folder`; the programs must be equal.
pub(super) async fn run(root: &Path, folder: &Path, zig: &Path, source: &Source, wanted: &[(&str, Target)]) -> Result<()> {
    // What is not committed is in neither.
    let commit = source.revision.trim_end_matches("-dirty");
    let (mut told, mut differ) = (String::new(), Vec::new());
    for (program, target) in wanted {
        let mut built = Vec::new();
        for name in ["one", "another-and-longer"] {
            let (checkout, target_dir) = (folder.join(name).join("checkout"), folder.join(name).join("target"));
            check_out(root, commit, &checkout).await?;
            built.push(Builder { root: &checkout, target_dir: &target_dir, zig, source }.build(program, *target).await?);
        }
        let sums = built.iter().map(|path| release::sha256(path)).collect::<Result<Vec<_>>>()?;
        let same = sums.windows(2).all(|pair| pair[0] == pair[1]);
        let each = sums.iter().zip(&built).map(|(sum, path)| format!("  {sum}  {}\n", path.display())).collect::<String>();
        told += &format!("\n{program} for {}: {}\n{each}", target.triple(), if same { "the same" } else { "DIFFERENT" });
        differ.extend((!same).then_some(*program));
    }
    line(format!("{told}\nof commit {commit}"));
    ensure!(differ.is_empty(), "{} differ; compare them with diffoscope", differ.join(", "));
    std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// The commit in a folder of its own, which is made anew.
async fn check_out(root: &Path, commit: &str, checkout: &PathBuf) -> Result<()> {
    if checkout.exists() {
        std::fs::remove_dir_all(checkout).with_context(|| format!("cannot remove {}", checkout.display()))?;
    }
    let to = checkout.to_string_lossy();
    git(root, &["clone", "--quiet", "--shared", "--no-checkout", ".", &to]).await?;
    git(checkout, &["checkout", "--quiet", "--detach", commit]).await.map(drop)
}
