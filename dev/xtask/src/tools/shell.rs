//! Running a build or an installation to its end, its output in a log. Knows nothing of what is built.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use crate::wait::tail;

/// Runs `command` and waits. What it prints goes to `log`, which is begun anew.
///
/// # Errors
/// When it cannot be started (`hint` says what to install) or fails (with the end of the log).
pub(super) async fn run(command: &mut Command, log: &Path, hint: &str) -> Result<()> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    std::fs::create_dir_all(log.parent().unwrap_or(log))?;
    let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).kill_on_drop(true);
    let status = command.status().await.with_context(|| format!("{name} cannot be run; {hint}"))?;
    if !status.success() {
        bail!("{name} failed ({status}). {}", tail(log));
    }
    Ok(())
}

/// The first line that `program` prints when asked for its version.
///
/// # Errors
/// When it cannot be run: `hint` says what to install.
pub(super) async fn version(program: &str, argument: &str, hint: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output().await.with_context(|| format!("{program} cannot be run; {hint}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

/// Whether we may do all that root may.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
