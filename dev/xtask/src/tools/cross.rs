//! The virtual environment with zig, which compiles C and links for other machines, and with cargo's way to it.

use std::path::PathBuf;

use anyhow::Result;

use super::keyed::{self, Inputs};
use super::{python, shell};
use crate::paths::Paths;
use crate::progress::Progress;

/// The folder of its programs: to be put in front of PATH.
///
/// # Errors
/// When it cannot be installed: what failed, and where its log is.
pub(crate) async fn ensure(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    let requirements = paths.root.join("dev/cross-requirements.txt");
    let version = shell::version("python3", "--version", python::HINT).await?;
    let inputs = Inputs::default().text(&version).path(&requirements)?;
    let install = async |folder| python::install(paths, "zig and cargo-zigbuild", &requirements, folder, progress).await;
    let folder = keyed::ensure(&paths.tools, "cross", inputs, install).await?;
    Ok(folder.join("bin"))
}
