//! Blocks of shell commands, run as a reader has them: in a checkout, with kubectl, the plugin and the gateway's address at hand,
//! and photos of their own.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::stack::Stack;

use crate::pages::Block;
use crate::support::photos;

/// A command that hangs is a failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// What an endless command has time for.
const A_WHILE: Duration = Duration::from_secs(5);

/// Runs those that are to be run; each must succeed.
pub async fn run(stack: &Stack, root: &Path, blocks: Vec<Block>) {
    let folder = lay_out(stack, root);
    let mut failed = Vec::new();
    let mut ran = 0;
    for block in blocks {
        let outcome = match block.mark.as_str() {
            "sh" => succeeds(shell(stack, folder.path(), &block.code)).await,
            "sh endless" => goes_on(shell(stack, folder.path(), &block.code)).await,
            _ => continue,
        };
        ran += 1;
        failed.extend(outcome.err().map(|why| format!("{}: {why}\n{}", block.place, block.code)));
    }
    assert!(ran > 10, "{ran}");
    assert!(failed.is_empty(), "{} of {ran} blocks failed:\n{}", failed.len(), failed.join("\n"));
}

/// Files that the commands name.
fn lay_out(stack: &Stack, root: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["crds", "examples"] {
        symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    for (name, photo) in ["cat.jpg", "dog.jpg", "photo.jpg"].into_iter().zip(photos(stack)) {
        std::fs::write(folder.path().join(name), photo.bytes).unwrap();
    }
    // A refusal is a failure.
    std::fs::write(folder.path().join(".curlrc"), "fail\nno-progress-meter\n").unwrap();
    folder
}

fn shell(stack: &Stack, folder: &Path, code: &str) -> Command {
    let own = [stack.tools().kubernetes.clone(), Paths::discover().unwrap().program("kubectl-fleet").unwrap().with_file_name("")];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path).collect::<Vec<PathBuf>>())).unwrap();
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", code]).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    shell.env("PATH", path).env("KUBECONFIG", stack.kubeconfig()).env("CURL_HOME", folder).env("NO_PROXY", "*");
    shell.env("GATEWAY_URL", stack.gateway_url().unwrap()).envs(stack.endpoints().unwrap().env());
    shell
}

async fn succeeds(mut shell: Command) -> Result<(), String> {
    let output = tokio::time::timeout(PATIENCE, shell.output()).await.map_err(|_| format!("not within {PATIENCE:?}"))?.unwrap();
    if output.status.success() { Ok(()) } else { Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr))) }
}

/// It does not end by itself.
async fn goes_on(mut shell: Command) -> Result<(), String> {
    match tokio::time::timeout(A_WHILE, shell.output()).await {
        Err(_) => Ok(()),
        Ok(output) => Err(format!("it ended: {:?}", output.unwrap())),
    }
}
