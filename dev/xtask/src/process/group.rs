//! Processes as the kernel shows them under /proc: which belong to a stack, which live, how their groups are ended.
//! A stack's processes carry its folder in their environment, so that a number used again is never taken for one of them.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Environment variable that holds the folder of the stack that a process belongs to.
pub const MARKER: &str = "CLASSIFIERFLEET_STACK";

/// A live process of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// The id of its process group.
    pub group: i32,
    /// Its command line.
    pub command: String,
}

/// All live processes of the stack in `dir`, however they came about, other than this one.
#[must_use]
pub fn of_stack(dir: &Path) -> Vec<Process> {
    let own = std::process::id().cast_signed();
    pids().filter(|pid| *pid != own && belongs(*pid, dir)).filter_map(describe).collect()
}

/// Whether `pid` lives and belongs to the stack in `dir`.
pub(super) fn is_alive(pid: i32, dir: &Path) -> bool {
    live_group(pid).is_some() && belongs(pid, dir)
}

/// Waits until a process just started can be told from others: its environment shows only some moments after it began.
#[expect(clippy::disallowed_methods, reason = "a matter of a millisecond")]
pub(super) fn settle(pid: i32, dir: &Path) {
    let begun = Instant::now();
    while live_group(pid).is_some() && !belongs(pid, dir) && begun.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends `signal` to all of a process group; a group that is gone is none of our worries.
pub fn signal_group(group: i32, signal: Signal) {
    // 0 and 1 would mean our own group and everybody's.
    if group > 1 {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

/// Ends a process group: SIGTERM, and SIGKILL to what is left after `grace`. Blocks until it is gone.
/// Returns whether SIGTERM sufficed.
pub fn end_group(group: i32, grace: Duration) -> bool {
    signal_group(group, Signal::SIGTERM);
    let gracefully = is_gone_within(group, grace);
    if !gracefully {
        signal_group(group, Signal::SIGKILL);
        is_gone_within(group, Duration::from_secs(5));
    }
    gracefully
}

#[expect(clippy::disallowed_methods, reason = "also called from Drop, where nothing can be awaited")]
fn is_gone_within(group: i32, limit: Duration) -> bool {
    let begun = Instant::now();
    while pids().any(|pid| live_group(pid) == Some(group)) {
        if begun.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Waits a moment until processes that have ended are gone from the list of processes too. That is up to their parent, which
/// is init for those of another run; not every container's init does it.
#[expect(clippy::disallowed_methods, reason = "also called from Drop, where nothing can be awaited")]
pub fn wait_for_burial(pids: &[i32]) {
    let begun = Instant::now();
    let is_zombie = |pid: &i32| Path::new(&format!("/proc/{pid}")).exists() && live_group(*pid).is_none();
    while pids.iter().any(is_zombie) && begun.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pids() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// The process group of a process that lives: one that is dead and not yet waited for does not.
fn live_group(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&stat)
}

/// `pid (command) state parent group …`; the command may hold spaces and parentheses.
fn parse_stat(stat: &str) -> Option<i32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(group)
}

fn belongs(pid: i32, dir: &Path) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    carries(&environment, dir)
}

/// Instances of cloudsim get a clean environment, as real ones do; they are known by their home.
fn carries(environment: &[u8], dir: &Path) -> bool {
    let marker = format!("{MARKER}={}", dir.display());
    let home = format!("HOME={}/state/", dir.display());
    environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes() || variable.starts_with(home.as_bytes()))
}

fn describe(pid: i32) -> Option<Process> {
    let group = live_group(pid)?;
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&line).replace('\0', " ").trim_end().to_owned();
    Some(Process { pid, group, command })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_known_by_folder_or_home() {
        let dir = Path::new("/a/.dev");
        let ours: [&[u8]; 2] = [b"A=1\0CLASSIFIERFLEET_STACK=/a/.dev\0", b"HOME=/a/.dev/state/cloudsim/i-1\0A=1\0"];
        let others: [&[u8]; 4] = [b"", b"CLASSIFIERFLEET_STACK=/a/.dev2\0", b"HOME=/a/.dev\0", b"X=CLASSIFIERFLEET_STACK=/a/.dev\0"];
        assert!(ours.iter().all(|environment| carries(environment, dir)));
        assert!(!others.iter().any(|environment| carries(environment, dir)));
    }

    #[test]
    fn the_group_is_read_behind_any_command() {
        assert_eq!(parse_stat("12 (a) b) (c) S 1 77 77 0 -1"), Some(77));
        assert_eq!(parse_stat("12 (gone) Z 1 77 77 0 -1"), None);
        assert_eq!(parse_stat("nonsense"), None);
    }
}
