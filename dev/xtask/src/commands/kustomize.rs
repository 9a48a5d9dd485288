//! `cargo xtask kustomize`: the kustomize base, made from the chart.

use anyhow::{Context as _, Result};

use crate::helm::Helm;
use crate::paths::Paths;
use crate::progress::{Progress, line};

pub(super) async fn run(paths: &Paths) -> Result<()> {
    let helm = Helm::ensure(paths, Progress::printed()).await?;
    let file = helm.kustomize_file();
    std::fs::write(file, helm.kustomize_base().await?).with_context(|| format!("cannot write {}", file.display()))?;
    line(format!("Wrote {}.", file.display()));
    Ok(())
}
