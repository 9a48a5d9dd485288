//! CPU time and memory of the operator, as the kernel counts them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::super::usage;

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
        let (own, all) = (usage::cpu_seconds(self.pid)?, std::fs::read_to_string("/proc/stat")?);
        Ok(Usage { at: Instant::now(), own, all: busy_seconds(&all).context("/proc/stat is not understood")? })
    }

    /// # Errors
    /// When the process has ended.
    pub(super) fn memory(&self) -> Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).context("the operator has ended")?;
        let bytes =
            |name| usage::kibibytes(&status, name).map(|size| size * 1024.0).with_context(|| format!("/proc/PID/status has no {name}"));
        Ok(Memory { now: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
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

/// What all CPUs did but to idle and to wait for disks.
fn busy_seconds(stat: &str) -> Option<f64> {
    let mut fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let working = usage::ticks(fields.by_ref().take(3))?;
    Some(working + usage::ticks(fields.skip(2).take(3))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        assert_eq!(busy_seconds("cpu  100 10 50 9000 800 0 20 20 0 0\ncpu0 1 2 3"), Some(2.0));
    }

    #[test]
    fn this_process_is_one() {
        let own = Operator::of(std::process::id().cast_signed());
        let (before, memory) = (own.usage().unwrap(), own.memory().unwrap());
        assert!(memory.peak >= memory.now && memory.now > 0.0);
        assert!(own.usage().unwrap().since(&before).1 >= 0.0);
    }
}
