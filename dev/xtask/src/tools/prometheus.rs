//! Prometheus and promtool, from the system or from Debian's package. Knows nothing of what is scraped.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const PACKAGE: &str = "prometheus";
const HINT: &str = "install Prometheus with promtool and put both on the PATH (Debian: apt install prometheus)";

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
    ensure!(Path::new("/usr/bin/apt-get").is_file(), "there is no Prometheus; {HINT}");
    // Unpacked and not installed: the package would start a server of its own.
    let unpack = |folder| unpack(paths, folder, progress);
    let folder = keyed::ensure(&paths.tools, PACKAGE, Inputs::default().text("Debian's"), unpack).await?;
    of(&folder.join("usr/bin")).context("Debian's package has no prometheus and promtool any more")
}

fn of(folder: &Path) -> Option<Prometheus> {
    let [server, promtool] = ["prometheus", "promtool"].map(|name| folder.join(name));
    (server.is_file() && promtool.is_file()).then_some(Prometheus { server, promtool })
}

async fn unpack(paths: &Paths, folder: PathBuf, progress: Progress) -> Result<()> {
    let log = paths.build_log(PACKAGE);
    progress.say(PACKAGE, format!("fetching Debian's package (log {})", log.display()));
    let fetch = || {
        let mut apt = Command::new("apt-get");
        apt.args(["download", "--quiet", PACKAGE]).current_dir(&folder);
        apt
    };
    if shell::run(&mut fetch(), &log, HINT).await.is_err() {
        // Its lists are old, or there are none yet. Only root may renew them.
        let mut update = Command::new("apt-get");
        progress.during(PACKAGE, shell::run(update.args(["update", "--quiet"]), &log, HINT)).await.context(HINT)?;
        progress.during(PACKAGE, shell::run(&mut fetch(), &log, HINT)).await.context(HINT)?;
    }
    let mut packages = std::fs::read_dir(&folder)?.flatten().map(|entry| entry.path());
    let package =
        packages.find(|path| path.extension().is_some_and(|extension| extension == "deb")).context("apt-get fetched no package")?;
    shell::run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&folder), &log, HINT).await?;
    Ok(std::fs::remove_file(package)?)
}
