//! `cargo xtask status`: what runs and where to look.

use anyhow::Result;
use jiff::Timestamp;
use tokio::process::Command;

use crate::paths::Paths;
use crate::process::{Process, Supervisor};
use crate::progress::line;

pub(super) async fn run(paths: &Paths) -> Result<()> {
    if !paths.dev.exists() {
        line("Nothing runs; `cargo xtask up` starts the system.");
        return Ok(());
    }
    let supervisor = Supervisor::new(&paths.dev)?;
    let records = supervisor.records();
    if records.is_empty() {
        line("Nothing runs; `cargo xtask up` starts the system.");
        return Ok(());
    }
    line(format!("{:<32} {:>8} {:>8}  WHERE", "PROCESS", "PID", "AGE"));
    for record in &records {
        let age = match supervisor.is_alive(record) {
            true => format!("{} s", Timestamp::now().duration_since(record.since).as_secs()),
            false => "ended".to_owned(),
        };
        line(format!("{:<32} {:>8} {:>8}  {}", record.name, record.pid, age, record.url.as_deref().unwrap_or("-")));
    }
    let started: Vec<i32> = records.iter().map(|record| record.pid).collect();
    for process in supervisor.processes().iter().filter(|process| !started.contains(&process.group) && process.pid == process.group) {
        line(format!("{:<32} {:>8} {:>8}  -", called(process), process.pid, ""));
    }
    line("");
    let kubectl = supervisor.dir().join("bin/kubectl");
    let args = ["get", "classifierfleets,statefulsets,pods", "--all-namespaces"];
    let _ = Command::new(kubectl).arg("--kubeconfig").arg(supervisor.dir().join("kubeconfig")).args(args).status().await;
    line(format!("\nLogs: {}/logs    Settings for your shell: source {}/env", supervisor.dir().display(), supervisor.dir().display()));
    Ok(())
}

/// The id of an instance of cloudsim, whose user data lies in its own folder; of anything else, its program's name.
fn called(process: &Process) -> &str {
    let command = &process.command;
    let instance = command.split_once("/state/cloudsim/").and_then(|(_, rest)| rest.split('/').next());
    instance.unwrap_or_else(|| command.split(' ').next().and_then(|program| program.rsplit('/').next()).unwrap_or(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_called_by_their_id() {
        let process = |command: &str| Process { pid: 2, group: 2, command: command.to_owned() };
        assert_eq!(called(&process("sh /a/.dev/state/cloudsim/i-1/user-data")), "i-1");
        assert_eq!(called(&process("/usr/bin/python3 -m x")), "python3");
    }
}
