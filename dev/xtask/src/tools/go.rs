//! What Go modules bring: programs built from them, and files that lie in them. Each of an exact version.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::kubernetes::HINT;
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

/// The program of the Go package `package`, such as `helm.sh/helm/v3/cmd/helm`.
///
/// # Errors
/// When it cannot be built: where its log is.
pub(super) async fn program(paths: &Paths, package: &str, version: &str, progress: Progress) -> Result<PathBuf> {
    let name = package.rsplit('/').next().unwrap_or(package);
    let install = async |folder: PathBuf| {
        let log = paths.build_log(name);
        progress.say(name, format!("building it from its Go module (the first time 3 minutes on 2 cores; log {})", log.display()));
        let mut go = Command::new("go");
        go.args(["install", "-trimpath", "-ldflags", "-s -w"]).arg(format!("{package}@{version}")).current_dir(&folder);
        go.env("GOBIN", &folder).env("CGO_ENABLED", "0");
        progress.during(name, shell::run(&mut go, &log, HINT)).await
    };
    let inputs = Inputs::default().text(package).text(version);
    Ok(keyed::ensure(&paths.tools, name, inputs, install).await?.join(name))
}

/// The program of the module in `dev/NAME`.
///
/// # Errors
/// When it cannot be built: where its log is.
pub(super) async fn own(paths: &Paths, name: &str, progress: Progress) -> Result<PathBuf> {
    let source = paths.root.join("dev").join(name);
    let inputs = ["main.go", "go.mod", "go.sum"].iter().try_fold(Inputs::default(), |inputs, file| inputs.path(&source.join(file)))?;
    let build = async |folder: PathBuf| {
        let log = paths.build_log(name);
        progress.say(name, format!("building it from its Go modules (the first time a minute on 2 cores; log {})", log.display()));
        let mut go = Command::new("go");
        go.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(folder.join(name)).arg(".");
        progress.during(name, shell::run(go.current_dir(&source).env("CGO_ENABLED", "0"), &log, HINT)).await
    };
    Ok(keyed::ensure(&paths.tools, name, inputs, build).await?.join(name))
}

/// What `go mod download` says of a module.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    dir: Option<PathBuf>,
    error: Option<String>,
}

/// The folder of a module, in Go's own cache.
///
/// # Errors
/// When it cannot be downloaded, with what Go says.
pub(super) async fn module(root: &Path, module: &str, version: &str) -> Result<PathBuf> {
    let module = format!("{module}@{version}");
    let mut go = Command::new("go");
    let output = go.args(["mod", "download", "-json", &module]).current_dir(root).output().await.context(HINT)?;
    match serde_json::from_slice(&output.stdout) {
        Ok(Module { dir: Some(folder), .. }) => Ok(folder),
        Ok(Module { error: Some(error), .. }) => bail!("{module} cannot be downloaded: {error}"),
        _ => bail!("{module} cannot be downloaded: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}
