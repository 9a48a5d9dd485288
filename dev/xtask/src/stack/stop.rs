//! Ending a stack: who launches before who is launched, and at last whatever is left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::process::{Process, Supervisor, wait_for_burial};

/// File with the path of a fleet in somebody else's cluster.
const APPLIED: &str = "fleet-in-your-cluster";

/// Ends all processes of a stack and removes what they kept, but their logs.
///
/// # Errors
/// When a process is left.
pub async fn end_all(supervisor: &Supervisor) -> Result<()> {
    if let Err(error) = withdraw(supervisor).await {
        eprintln!("the fleet stays in your cluster: {error:#}");
    }
    let supervisor = supervisor.clone();
    let left = tokio::task::spawn_blocking(move || end_blocking(&supervisor)).await?;
    ensure!(left.is_empty(), "these processes could not be ended: {left:?}");
    Ok(())
}

/// Writes down that `fleet`, a file, was applied to a cluster that is not ours to throw away.
pub(super) fn remember_fleet(supervisor: &Supervisor, fleet: &Path) -> Result<()> {
    Ok(std::fs::write(supervisor.run().join(APPLIED), fleet.as_os_str().as_encoded_bytes())?)
}

/// Deletes the fleet from a cluster that goes on without us, while the operator still runs: the fleet has instances to end.
async fn withdraw(supervisor: &Supervisor) -> Result<()> {
    let Ok(fleet) = std::fs::read_to_string(supervisor.run().join(APPLIED)) else { return Ok(()) };
    let mut kubectl = tokio::process::Command::new(supervisor.dir().join("bin/kubectl"));
    kubectl.arg("--kubeconfig").arg(supervisor.dir().join("kubeconfig"));
    let output = kubectl.args(["delete", "--ignore-not-found", "--timeout=120s", "-f", &fleet]).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// As [`end_all`], for where nothing can be awaited. Returns what is left.
#[must_use]
pub(super) fn end_blocking(supervisor: &Supervisor) -> Vec<Process> {
    let mut records = supervisor.records();
    let pids: Vec<i32> = records.iter().map(|record| record.pid).collect();
    // The youngest first: what was started later uses what was started before.
    records.reverse();
    records.sort_by_key(|record| rank(&record.name));
    for record in records {
        supervisor.end(&record.name, grace(&record.name));
    }
    let left = supervisor.sweep(Duration::from_secs(5));
    wait_for_burial(&pids);
    crate::node::clear(&supervisor.run());
    if left.is_empty()
        && let Err(error) = forget(supervisor.dir())
    {
        eprintln!("{error:#}");
    }
    left
}

/// Removes what a stack that is ended kept, but its logs.
pub(super) fn forget(dir: &Path) -> Result<()> {
    for name in ["state", "run", "env", "kubeconfig"] {
        let path = dir.join(name);
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        if let Err(error) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(anyhow::Error::new(error).context(format!("cannot remove {}", path.display())));
        }
    }
    Ok(())
}

/// Removes what former processes printed and asked AWS for, but not what building them printed.
pub(super) fn forget_logs(dir: &Path) -> Result<()> {
    let _ = std::fs::remove_file(dir.join(super::relays::RECORDING));
    for entry in std::fs::read_dir(dir.join("logs"))?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with("build-") {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// First the operator, so that nothing more is launched; then pods, instances, and last what all of them talk to.
fn rank(name: &str) -> u8 {
    match name {
        _ if name.starts_with("operator") => 0,
        // With the node ends all that runs on it.
        "pods" | "node" => 1,
        _ if name.starts_with("pod-") => 2,
        _ if name.starts_with("cloudsim") => 3,
        "kube-controller-manager" => 5,
        "kube-apiserver" => 6,
        "etcd" => 7,
        _ => 4,
    }
}

/// How long SIGTERM may take. Pods and instances finish what they have; the state of the rest is thrown away.
fn grace(name: &str) -> Duration {
    match name {
        "pods" => Duration::from_secs(40),
        _ if name.starts_with("cloudsim") => Duration::from_secs(40),
        _ if name.starts_with("operator") => Duration::from_secs(15),
        _ => Duration::from_secs(5),
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn who_launches_is_ended_before_who_is_launched() {
        let mut names = ["etcd", "kube-apiserver", "cloudsim", "ministack", "pod-default-a-0", "pods", "operator-2", "operator"];
        names.sort_by_key(|name| rank(name));
        assert_eq!(names, ["operator-2", "operator", "pods", "pod-default-a-0", "cloudsim", "ministack", "kube-apiserver", "etcd"]);
    }
}
