//! CPU time and memory of processes, as the kernel counts them. Knows nothing of what they do.

use anyhow::{Context as _, Result, ensure};

use crate::process::Supervisor;

/// The kernel tells times in hundredths of a second, on all machines that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that was started, and those that it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group(Vec<i32>);

impl Group {
    /// The live processes of the group whose first one is called `name`.
    ///
    /// # Errors
    /// When it does not run.
    pub(super) fn of(supervisor: &Supervisor, name: &str) -> Result<Self> {
        let record = supervisor.running(name).with_context(|| format!("{name} does not run"))?;
        let pids = supervisor.processes().into_iter().filter(|process| process.group == record.pid).map(|process| process.pid);
        let pids: Vec<i32> = pids.collect();
        ensure!(!pids.is_empty(), "{name} has ended");
        Ok(Self(pids))
    }

    /// CPU time that they have used so far, in seconds.
    ///
    /// # Errors
    /// When one of them has ended.
    pub(super) fn cpu_seconds(&self) -> Result<f64> {
        self.0.iter().map(|pid| cpu_seconds(*pid)).sum()
    }

    /// Memory that they have in bytes; of what processes share, each has its part.
    ///
    /// # Errors
    /// When one of them has ended.
    pub(super) fn memory(&self) -> Result<f64> {
        self.0.iter().map(|pid| memory(*pid)).sum()
    }
}

/// User and system time of a process until now, in seconds.
///
/// # Errors
/// When it has ended.
pub(super) fn cpu_seconds(pid: i32) -> Result<f64> {
    stat_seconds(&file(pid, "stat")?).context("/proc/PID/stat is not understood")
}

fn memory(pid: i32) -> Result<f64> {
    kibibytes(&file(pid, "smaps_rollup")?, "Pss:").map(|size| size * 1024.0).context("/proc/PID/smaps_rollup is not understood")
}

fn file(pid: i32, name: &str) -> Result<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).with_context(|| format!("process {pid} has ended"))
}

/// The value of `name` in a file of `/proc` that has a line for each.
pub(super) fn kibibytes(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// The 14th and 15th field. The second is the program's name, which may hold anything.
fn stat_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    ticks(fields.split_whitespace().skip(11).take(2))
}

/// The sum of times as the kernel writes them, in seconds.
pub(super) fn ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Option<f64> {
    let ticks: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
    (!ticks.is_empty()).then(|| ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(stat_seconds("7 (a) b) S 1 7 7 0 -1 4194304 900 0 3 0 250 50 0 0 20 0"), Some(3.0));
        assert_eq!(kibibytes("Name:\ta\nVmHWM:\t  2048 kB\nVmRSS:\t     4 kB\n", "VmRSS:"), Some(4.0));
        assert_eq!(kibibytes("Name:\ta\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_is_one() {
        let own = Group(vec![std::process::id().cast_signed()]);
        let before = own.cpu_seconds().unwrap();
        assert!(own.memory().unwrap() > 0.0 && own.cpu_seconds().unwrap() >= before);
    }
}
