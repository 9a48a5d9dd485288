//! cargo-fuzz, built from its crate.

use std::path::PathBuf;

use anyhow::Result;
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const VERSION: &str = "0.13.2";

/// The program.
///
/// # Errors
/// When it cannot be built: where its log is.
pub(crate) async fn ensure(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    let install = async |folder: PathBuf| {
        let log = paths.build_log("cargo-fuzz");
        progress.say("cargo-fuzz", format!("building it (about a minute; log {})", log.display()));
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--root"]).arg(folder);
        shell::run(&mut cargo, &log, "cargo is missing").await
    };
    let folder = keyed::ensure(&paths.tools, "cargo-fuzz", Inputs::default().text(VERSION), install).await?;
    Ok(folder.join("bin/cargo-fuzz"))
}
