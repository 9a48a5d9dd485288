//! Chromium, from the system, and playwright-core, which drives it, from npm. Knows nothing of what is looked at.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const NODE_HINT: &str = "install Node.js 20 or newer with npm (Debian, Ubuntu: apt install nodejs npm)";
const CHROMIUM_HINT: &str = "install Chromium (Debian: apt install chromium), or name it in CLASSIFIERFLEET_CHROMIUM";

/// A browser and what drives it.
#[derive(Debug, Clone)]
pub struct Browser {
    /// The program.
    pub chromium: PathBuf,
    /// Folder with `playwright-core`, for NODE_PATH.
    pub modules: PathBuf,
}

pub(super) async fn ensure(paths: &Paths, progress: Progress) -> Result<Browser> {
    let version = shell::version("node", "--version", NODE_HINT).await?;
    ensure!(is_new_enough(&version), "node is {version}; {NODE_HINT}");
    let modules = modules(paths, &version, progress).await?;
    let chromium = match installed()? {
        Some(chromium) => chromium,
        None => install(paths, progress).await?,
    };
    Ok(Browser { chromium, modules })
}

async fn modules(paths: &Paths, node: &str, progress: Progress) -> Result<PathBuf> {
    let files = ["package.json", "package-lock.json"].map(|name| paths.root.join("dev/page").join(name));
    let inputs = files.iter().try_fold(Inputs::default().text(node), |inputs, file| inputs.path(file))?;
    let folder = keyed::ensure(&paths.tools, "playwright", inputs, |folder| async move {
        let log = paths.build_log("playwright");
        progress.say("playwright", format!("fetching playwright-core (npm; log {})", log.display()));
        for file in &files {
            std::fs::copy(file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
        shell::run(&mut npm, &log, NODE_HINT).await
    });
    Ok(folder.await?.join("node_modules"))
}

/// The browser that is there: the one that is named, or one of the usual names on the PATH.
fn installed() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os("CLASSIFIERFLEET_CHROMIUM").filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        ensure!(named.is_file(), "CLASSIFIERFLEET_CHROMIUM={} is no file", named.display());
        return Ok(Some(named));
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = NAMES.iter().flat_map(|name| std::env::split_paths(&folders).map(move |folder| folder.join(name)));
    Ok(programs.find(|program| program.is_file()))
}

/// Debian's, where we may: in the containers and virtual machines of CI.
async fn install(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    if !shell::is_root() || !Path::new("/usr/bin/apt-get").is_file() {
        bail!("there is no Chromium; {CHROMIUM_HINT}");
    }
    let log = paths.build_log("chromium");
    progress.say("chromium", format!("installing Debian's Chromium (log {})", log.display()));
    for step in [["update", "--quiet"].as_slice(), &["install", "--yes", "--quiet", "--no-install-recommends", "chromium"]] {
        let mut apt = Command::new("apt-get");
        apt.args(step).env("DEBIAN_FRONTEND", "noninteractive");
        progress.during("chromium", shell::run(&mut apt, &log, CHROMIUM_HINT)).await.context(CHROMIUM_HINT)?;
    }
    installed()?.context(CHROMIUM_HINT)
}

/// `v20.20.2`
fn is_new_enough(version: &str) -> bool {
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    major.is_some_and(|major| major >= 20)
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        assert!(is_new_enough("v20.20.2") && is_new_enough("v100.0.0"));
        assert!(!is_new_enough("v18.19.1") && !is_new_enough("v9.0.0") && !is_new_enough(""));
    }
}
