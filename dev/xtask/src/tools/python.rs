//! The virtual environment with the Python tools of `dev/requirements.txt`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

pub(super) const HINT: &str = "install Python 3.11 or newer with its venv module (Debian, Ubuntu: apt install python3-venv)";

/// The folder of the virtual environment.
pub(super) async fn ensure(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    let requirements = paths.root.join("dev/requirements.txt");
    let version = shell::version("python3", "--version", HINT).await?;
    ensure!(is_new_enough(&version), "python3 is {version}; {HINT}");
    let inputs = Inputs::default().text(&version).path(&requirements)?;
    let install = async |folder| install(paths, "MiniStack, moto and onnxruntime", &requirements, folder, progress).await;
    keyed::ensure(&paths.tools, "python", inputs, install).await
}

/// Installs `requirements`, which people know as `what`, into a new virtual environment in `folder`.
pub(super) async fn install(paths: &Paths, what: &str, requirements: &Path, folder: PathBuf, progress: Progress) -> Result<()> {
    let log = paths.build_log("python");
    progress.say("python", format!("installing {what} into a virtual environment (the first time about a minute; log {})", log.display()));
    shell::run(Command::new("python3").args(["-m", "venv"]).arg(&folder), &log, HINT).await?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--requirement"]).arg(requirements);
    progress.during("python", shell::run(&mut pip, &log, HINT)).await?;
    progress.say("python", "installed");
    Ok(())
}

/// `Python 3.11.7`
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches("Python ").split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(3), Some(11))
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_new_enough("Python 3.11.7") && is_new_enough("Python 3.14.0rc1") && is_new_enough("Python 4.0.0"));
        assert!(!is_new_enough("Python 3.9.2") && !is_new_enough("Python 2.7.18") && !is_new_enough(""));
    }
}
