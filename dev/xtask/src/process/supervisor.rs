//! Starts the processes of one stack, knows which run, and ends them.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;

use super::{Command, MARKER, Process, Record, end_group, group, of_stack, signal_group};

/// Variables of our own environment that every process gets. All else would make runs differ from one shell to the next.
const INHERITED: [&str; 8] = ["PATH", "HOME", "TMPDIR", "LANG", "USER", "SSL_CERT_FILE", "SSL_CERT_DIR", "RUST_BACKTRACE"];

/// The processes of the stack in one folder.
#[derive(Debug, Clone)]
pub struct Supervisor {
    dir: PathBuf,
}

/// A process just started.
#[derive(Debug)]
pub struct Running {
    /// What was written down about it.
    pub record: Record,
    /// Told when it has ended, while this process lives.
    pub exit: oneshot::Receiver<ExitStatus>,
}

impl Supervisor {
    /// The processes of the stack in `dir`, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(dir: &Path) -> Result<Self> {
        for folder in ["run", "logs", "state"] {
            let folder = dir.join(folder);
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok(Self { dir: dir.canonicalize().with_context(|| format!("{} cannot be resolved", dir.display()))? })
    }

    /// The folder of the stack.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the process called `name` writes.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.dir.join("logs").join(format!("{name}.log"))
    }

    /// Starts a process in a group of its own, writing to its log. Whatever ran under its name is ended first.
    ///
    /// # Errors
    /// When the program cannot be started or not be written down.
    pub fn start(&self, command: &Command) -> Result<Running> {
        self.end(&command.name, Duration::from_secs(10));
        let log = self.log(&command.name);
        let output = OpenOptions::new().create(true).append(true).open(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut process = std::process::Command::new(&command.program);
        process.args(&command.args).env_clear().envs(inherited()).envs(command.env.iter().cloned()).env(MARKER, &self.dir);
        process.current_dir(command.folder.clone().unwrap_or_else(|| self.dir.join("state"))).process_group(0);
        process.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = process.spawn().with_context(|| format!("cannot start {}", command.program.display()))?;
        let record = Record {
            name: command.name.clone(),
            pid: child.id().cast_signed(),
            since: Timestamp::now(),
            fingerprint: fingerprint(command),
            log,
            url: command.url.clone(),
        };
        group::settle(record.pid, &self.dir);
        let exit = reap(child);
        record.write(&self.run()).inspect_err(|_| signal_group(record.pid, Signal::SIGKILL))?;
        Ok(Running { record, exit })
    }

    /// Starts a process unless just that program runs already, with the same arguments and environment.
    ///
    /// # Errors
    /// As [`Supervisor::start`].
    pub fn ensure(&self, command: &Command) -> Result<Record> {
        match self.running(&command.name) {
            Some(record) if record.fingerprint == fingerprint(command) => Ok(record),
            _ => Ok(self.start(command)?.record),
        }
    }

    /// What is known of the process called `name`, if it runs.
    #[must_use]
    pub fn running(&self, name: &str) -> Option<Record> {
        Record::read(&self.run(), name).filter(|record| self.is_alive(record))
    }

    /// Whether a process that was written down still runs.
    #[must_use]
    pub fn is_alive(&self, record: &Record) -> bool {
        group::is_alive(record.pid, &self.dir)
    }

    /// All that was started and not ended, oldest first, whether or not it still runs.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        Record::all(&self.run())
    }

    /// Live processes of this stack, also those that its processes started.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        of_stack(&self.dir)
    }

    /// Ends the process called `name` with its group, and forgets it. Blocks until it is gone.
    pub fn end(&self, name: &str, grace: Duration) {
        let Some(record) = Record::read(&self.run(), name) else { return };
        // The leader may be gone and its children not; they carry its group.
        if self.processes().iter().any(|process| process.group == record.pid) {
            end_group(record.pid, grace);
        }
        record.remove(&self.run());
    }

    /// Sends a signal to the process called `name` and its group; its record stays.
    pub fn signal(&self, name: &str, signal: Signal) {
        if let Some(record) = self.running(name) {
            signal_group(record.pid, signal);
        }
    }

    /// Ends whatever else belongs to this stack. Blocks until it is gone; returns what did not go.
    #[must_use]
    pub fn sweep(&self, grace: Duration) -> Vec<Process> {
        let mut groups: Vec<i32> = self.processes().iter().map(|process| process.group).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            end_group(group, grace);
        }
        self.processes()
    }

    /// Where records and ports are written down.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.dir.join("run")
    }
}

fn inherited() -> impl Iterator<Item = (String, String)> {
    INHERITED.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
}

/// Waits for the child, so that it does not stay as a zombie, and tells how it ended.
fn reap(mut child: std::process::Child) -> oneshot::Receiver<ExitStatus> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let _ = tell.send(status);
        }
    });
    told
}

/// Differs when the program was built anew or is called differently.
fn fingerprint(command: &Command) -> String {
    let Command { name, program, args, env, folder, url: _ } = command;
    let built = std::fs::metadata(program).and_then(|file| Ok((file.len(), file.modified()?))).ok();
    let digest = Sha256::digest(format!("{name} {program:?} {args:?} {env:?} {folder:?} {built:?}"));
    hex::encode(&digest[..8])
}
