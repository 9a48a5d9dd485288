//! Prometheus and promtool, from the system or from Debian's package. Knows nothing of what is scraped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::debian;
use crate::paths::Paths;
use crate::progress::Progress;

const HINT: &str = "there is no Prometheus; install it with promtool and put both on the PATH (Debian: apt install prometheus)";

/// A server, and what checks its rules and metrics.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// The server.
    pub server: PathBuf,
    /// The checker.
    pub promtool: PathBuf,
}

pub(super) async fn ensure(paths: &Paths, progress: Progress) -> Result<Prometheus> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::env::split_paths(&folders).find_map(|folder| of(&folder));
    if let Some(installed) = installed {
        return Ok(installed);
    }
    let packages = debian::ensure(paths, "prometheus", &["prometheus"], progress).await.context(HINT)?;
    of(&packages.path("usr/bin")).context("Debian's package has no prometheus and promtool any more")
}

fn of(folder: &Path) -> Option<Prometheus> {
    let [server, promtool] = ["prometheus", "promtool"].map(|name| folder.join(name));
    (server.is_file() && promtool.is_file()).then_some(Prometheus { server, promtool })
}
