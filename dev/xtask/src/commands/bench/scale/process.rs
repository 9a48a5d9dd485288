//! CPU time and memory of the operator, as the kernel counts them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// The kernel tells times in hundredths of a second, on all machines that Linux runs on today.
const TICKS_PER_SECOND: f64 = 100.0;

/// The operator's process.
#[derive(Debug)]
pub(super) struct Operator {
    pid: i32,
}

/// CPU time used until now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    /// Of the process, in seconds.
    own: f64,
    /// Of the whole machine, in seconds.
    all: f64,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// Resident.
    pub(super) now: f64,
    /// The most that ever was.
    pub(super) peak: f64,
}

impl Operator {
    pub(super) fn of(pid: i32) -> Self {
        Self { pid }
    }

    /// # Errors
    /// When the process has ended.
    pub(super) fn usage(&self) -> Result<Usage> {
        let (own, all) = (self.file("stat")?, std::fs::read_to_string("/proc/stat")?);
        let own = own_seconds(&own).context("/proc/PID/stat is not understood")?;
        Ok(Usage { at: Instant::now(), own, all: busy_seconds(&all).context("/proc/stat is not understood")? })
    }

    /// # Errors
    /// When the process has ended.
    pub(super) fn memory(&self) -> Result<Memory> {
        let status = self.file("status")?;
        let bytes = |name| bytes(&status, name).with_context(|| format!("/proc/PID/status has no {name}"));
        Ok(Memory { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
    }

    fn file(&self, name: &str) -> Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.pid)).context("the operator has ended")
    }
}

impl Usage {
    /// Time that passed since `before`, and the cores that the process, and the whole machine, kept busy meanwhile.
    pub(super) fn since(&self, before: &Self) -> (Duration, f64, f64) {
        let passed = self.at.duration_since(before.at);
        let cores = |seconds: f64| seconds / passed.as_secs_f64();
        (passed, cores(self.own - before.own), cores(self.all - before.all))
    }
}

/// User and system time: the 14th and 15th field. The second is the program's name, which may hold anything.
fn own_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    ticks(fields.split_whitespace().skip(11).take(2))
}

/// What all CPUs did but to idle and to wait for disks.
fn busy_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let working = ticks(fields.by_ref().take(3))?;
    Some(working + ticks(fields.skip(2).take(3))?)
}

fn ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Option<f64> {
    let ticks: Vec<f64> = fields.map(str::parse).collect::<Result<_, _>>().ok()?;
    (!ticks.is_empty()).then(|| ticks.iter().sum::<f64>() / TICKS_PER_SECOND)
}

fn bytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(own_seconds("7 (a) b) S 1 7 7 0 -1 4194304 900 0 3 0 250 50 0 0 20 0"), Some(3.0));
        assert_eq!(busy_seconds("cpu  100 10 50 9000 800 0 20 20 0 0\ncpu0 1 2 3"), Some(2.0));
        assert_eq!(bytes("Name:\ta\nVmHWM:\t  2048 kB\nVmRSS:\t     4 kB\n", "VmRSS:"), Some(4096.0));
        assert_eq!(bytes("Name:\ta\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_is_one() {
        let own = Operator::of(std::process::id().cast_signed());
        let (before, memory) = (own.usage().unwrap(), own.memory().unwrap());
        assert!(memory.peak >= memory.now && memory.now > 0.0);
        assert!(own.usage().unwrap().since(&before).1 >= 0.0);
    }
}
