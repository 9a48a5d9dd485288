//! Kubernetes and etcd, built from their Go modules into one binary with several names.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

pub(super) const HINT: &str = "install Go 1.24 or newer (https://go.dev/dl) and put `go` on the PATH";
const NAMES: [&str; 8] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl", "signing-key"];

/// The folder with all programs of [`NAMES`], and with `pause`, the first process of each pod.
pub(super) async fn ensure(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    let source = paths.root.join("dev/kubernetes");
    let inputs =
        ["main.go", "go.mod", "go.sum", "pause"].iter().try_fold(Inputs::default(), |inputs, file| inputs.path(&source.join(file)))?;
    keyed::ensure(&paths.tools, "kubernetes", inputs, |folder| build(paths, source, folder, progress)).await
}

async fn build(paths: &Paths, source: PathBuf, folder: PathBuf, progress: Progress) -> Result<()> {
    let log = paths.build_log("kubernetes");
    let what = "building etcd and Kubernetes from their Go modules (the first time 6 minutes on 2 cores, seconds with Go's cache warm; log";
    progress.say("kubernetes", format!("{what} {})", log.display()));
    let flags = format!("-s -w {}", version_flags(&source.join("go.mod"))?);
    let mut go = Command::new("go");
    go.current_dir(&source)
        .env("CGO_ENABLED", "0")
        .args(["build", "-trimpath", "-ldflags", &flags, "-o"])
        .arg(&folder)
        .args([".", "./pause"]);
    progress.during("kubernetes", shell::run(&mut go, &log, HINT)).await?;
    for name in NAMES {
        symlink("kubernetes", folder.join(name))?;
    }
    progress.say("kubernetes", "built");
    Ok(())
}

/// Clients refuse a server that does not know its version, and `go build` does not set it.
fn version_flags(go_mod: &Path) -> Result<String> {
    let text = std::fs::read_to_string(go_mod)?;
    let required = text.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    let version = required.with_context(|| format!("{} requires no k8s.io/kubernetes", go_mod.display()))?;
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let at = "k8s.io/component-base/version";
    Ok(format!("-X {at}.gitVersion=v{version} -X {at}.gitMajor={major} -X {at}.gitMinor={minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_module() {
        let flags = version_flags("../kubernetes/go.mod".as_ref()).unwrap();
        assert!(flags.contains("gitVersion=v1.34.") && flags.contains("gitMajor=1 ") && flags.ends_with("gitMinor=34"), "{flags}");
    }
}
