//! The cgroups below which a node keeps those of its pods: alone of all that it makes they stay when it ends, and must be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// Whether cgroups can be made.
pub(super) fn are_writable() -> Result<()> {
    let trial = format!("cfnode-trial-{}", std::process::id());
    let made = make(&trial);
    remove(&trial);
    made.with_context(|| format!("a node needs cgroups that can be changed, at {ROOT}"))
}

/// Makes the cgroup called `name`, in all hierarchies. One that a former node left is removed first.
pub(super) fn make(name: &str) -> Result<()> {
    remove(name);
    for hierarchy in hierarchies(Path::new(ROOT)) {
        let group = hierarchy.join(name);
        fs::create_dir(&group).with_context(|| format!("cannot make the cgroup {}", group.display()))?;
        // Of the first version of cgroups: nothing may run where they are empty.
        for set in ["cpuset.cpus", "cpuset.mems"].map(Path::new).into_iter().filter(|set| hierarchy.join(set).is_file()) {
            fs::write(group.join(set), fs::read(hierarchy.join(set))?)?;
        }
    }
    Ok(())
}

/// Removes the cgroup called `name` and those below it. Blocks for a moment while the last processes in them end.
pub(super) fn remove(name: &str) {
    let begun = Instant::now();
    for group in hierarchies(Path::new(ROOT)).into_iter().map(|hierarchy| hierarchy.join(name)) {
        while remove_tree(&group).is_err() && group.exists() && begun.elapsed() < Duration::from_secs(5) {
            pause();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "also called from Drop, where nothing can be awaited")]
fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// The folders only: the files are the kernel's, and go with them.
fn remove_tree(group: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// One in the second version of cgroups, one for each controller in the first.
fn hierarchies(root: &Path) -> Vec<PathBuf> {
    const PROCESSES: &str = "cgroup.procs";
    if root.join(PROCESSES).exists() {
        return vec![root.to_path_buf()];
    }
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    // Not the links, such as cpu to cpu,cpuacct.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path());
    folders.filter(|folder| folder.join(PROCESSES).exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_told_apart() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("cpu,cpuacct")).unwrap();
        fs::write(root.path().join("cpu,cpuacct/cgroup.procs"), "").unwrap();
        fs::create_dir_all(root.path().join("no-hierarchy")).unwrap();
        std::os::unix::fs::symlink("cpu,cpuacct", root.path().join("cpu")).unwrap();
        assert_eq!(hierarchies(root.path()), [root.path().join("cpu,cpuacct")]);
        fs::write(root.path().join("cgroup.procs"), "").unwrap();
        assert_eq!(hierarchies(root.path()), [root.path().to_path_buf()]);
    }

    #[test]
    fn a_group_goes_with_those_below_it() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("node");
        fs::create_dir_all(group.join("pods/one")).unwrap();
        fs::create_dir_all(group.join("pods/two")).unwrap();
        remove_tree(&group).unwrap();
        assert!(!group.exists());
    }
}
