//! Private stacks of tests whose process is gone: nothing of them may run any more. Those of tests that run now,
//! in another terminal, are left alone.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::process::Supervisor;

/// Ends what former runs left, and removes their folders.
pub(super) fn clear(folder: &Path) -> Result<()> {
    for stack in orphans(folder) {
        let supervisor = Supervisor::new(&stack)?;
        let _ = supervisor.sweep(Duration::from_secs(5));
        crate::node::clear(&supervisor.run());
        std::fs::remove_dir_all(stack)?;
    }
    Ok(())
}

/// Ends what the tests of this run left, which is an error of theirs. The logs stay.
pub(super) fn none(folder: &Path) -> Result<()> {
    let mut left = Vec::new();
    for stack in orphans(folder) {
        let stack = Supervisor::new(&stack)?;
        left.extend(stack.processes());
        let _ = stack.sweep(Duration::from_secs(5));
        crate::node::clear(&stack.run());
    }
    match left.as_slice() {
        [] => Ok(()),
        left => bail!("tests left processes, which were ended now: {left:?}"),
    }
}

/// Folders `NAME-PID` of processes that are gone.
fn orphans(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_orphan = |path: &PathBuf| {
        let owner = path.file_name().and_then(|name| name.to_str()?.rsplit_once('-')?.1.parse::<u32>().ok());
        path.is_dir() && owner.is_some_and(|owner| !Path::new(&format!("/proc/{owner}")).exists())
    };
    entries.map(|entry| entry.path()).filter(is_orphan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_stacks_of_processes_that_are_gone_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        // No process has an id above the kernel's highest.
        let names = ["path-4194305".to_owned(), format!("path-{}", std::process::id()), "logs".to_owned()];
        names.iter().for_each(|name| std::fs::create_dir(folder.path().join(name)).unwrap());
        clear(folder.path()).unwrap();
        assert_eq!(names.map(|name| folder.path().join(name).exists()), [false, true, true]);
    }
}
