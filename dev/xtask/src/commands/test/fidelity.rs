//! What the tests of this run asked AWS for, checked against what AWS documents: `dev/fidelity` does it.
//! Knows where the recordings lie, not what is in them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::step::Steps;
use crate::paths::Paths;
use crate::tools::Tools;

/// The checks' own tests, then all checks on all recordings.
pub(super) async fn check(paths: &Paths, tools: &Tools, steps: &mut Steps<'_>) -> Result<()> {
    steps.program("fidelity: its own tests", "fidelity: its own tests", fidelity(paths, tools, "test")).await?;
    let folder = paths.dev.join("test");
    let found = async {
        let recordings = recordings(&folder);
        ensure!(
            !recordings.is_empty(),
            "no test left a recording of its AWS requests: there is no *.jsonl in the folders of {}",
            folder.display()
        );
        Ok(recordings)
    };
    let Some(recordings) = steps.check("fidelity: recordings", found).await else { return Ok(()) };
    let mut checks = fidelity(paths, tools, "all");
    checks.args(&recordings);
    let header = format!("fidelity: {} recordings", recordings.len());
    steps.program(&header, "fidelity: requests, permissions, policies, error codes", checks).await?;
    Ok(())
}

fn fidelity(paths: &Paths, tools: &Tools, command: &str) -> Command {
    let mut python = Command::new(tools.python_program("python"));
    python.args(["-m", "fidelity", command]).env("PYTHONPATH", paths.root.join("dev")).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// The recordings in the folders of private stacks. Those of former runs were removed with them when this run began.
fn recordings(folder: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries(folder).flat_map(|stack| entries(&stack).collect::<Vec<_>>());
    let mut found: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl")).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::recordings;

    #[test]
    fn recordings_lie_in_the_folders_of_stacks() {
        let folder = tempfile::tempdir().unwrap();
        assert!(recordings(&folder.path().join("missing")).is_empty());
        std::fs::create_dir_all(folder.path().join("path-1/logs")).unwrap();
        for file in ["one.jsonl", "path-1/requests.jsonl", "path-1/env", "path-1/logs/other.jsonl"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(recordings(folder.path()), [folder.path().join("path-1/requests.jsonl")]);
    }
}
