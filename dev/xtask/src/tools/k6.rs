//! k6, the load client of `cargo xtask bench gateway`, built from its Go module.

use std::path::PathBuf;

use anyhow::Result;
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::kubernetes::HINT;
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const MODULE: &str = "go.k6.io/k6@v1.8.1";

/// The program.
///
/// # Errors
/// When it cannot be built: where its log is.
pub(crate) async fn ensure(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    let install = async |folder: PathBuf| {
        let log = paths.build_log("k6");
        progress.say("k6", format!("building it from its Go module (the first time 4 minutes on 2 cores; log {})", log.display()));
        let mut go = Command::new("go");
        go.args(["install", MODULE]).env("GOBIN", folder).env("CGO_ENABLED", "0");
        progress.during("k6", shell::run(&mut go, &log, HINT)).await
    };
    let folder = keyed::ensure(&paths.tools, "k6", Inputs::default().text(MODULE), install).await?;
    Ok(folder.join("k6"))
}
