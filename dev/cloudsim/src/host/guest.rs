//! Owns one guest: its folder, its processes, its end. Knows nothing of EC2's states.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::user_data;

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const POLL: Duration = Duration::from_millis(20);
/// How long the kernel may take to end what was killed.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// What a guest is made from.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) instance_id: String,
    /// The guest's home and working directory.
    pub(super) folder: PathBuf,
    /// Goes in front of the guest's PATH.
    pub(super) image_dir: PathBuf,
    /// Base64; `None` idles.
    pub(super) user_data: Option<String>,
    pub(super) metadata_url: String,
    /// Called by the guest's `poweroff`.
    pub(super) program: PathBuf,
    pub(super) endpoint_url: String,
}

/// A guest's process group. Nothing of it is reaped before its end: a leader that has exited but was not waited for keeps
/// its id, and so the group's, from going to somebody else.
#[derive(Debug)]
pub(super) struct Guest {
    group: Pid,
    folder: PathBuf,
}

/// Makes this process the parent of what the guests leave behind, so that it can see it end.
///
/// # Errors
/// What the kernel says.
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

impl Guest {
    /// Runs the user data. `None` when there is nothing to run; the console says why. As on a real machine, nothing
    /// happens when the user data's script ends.
    ///
    /// # Errors
    /// Files or the process could not be made.
    pub(super) async fn boot(plan: &Plan) -> io::Result<Option<Self>> {
        fs::create_dir_all(plan.folder.join("bin"))?;
        let mut console = OpenOptions::new().create(true).append(true).open(plan.folder.join("console.log"))?;
        let script = match user_data::script(plan.user_data.as_deref()) {
            Ok(script) => script,
            Err(why) => {
                writeln!(console, "[cloudsim] {why}: the guest idles")?;
                return Ok(None);
            }
        };
        write_power_scripts(plan)?;
        write_script(&plan.folder.join("user-data"), &script)?;
        writeln!(console, "[cloudsim] booting {}", plan.instance_id)?;
        let group = spawn(plan, &console).await?;
        // For whoever cleans up when cloudsim itself was killed.
        fs::write(plan.folder.join("pgid"), format!("{group}\n"))?;
        Ok(Some(Self { group, folder: plan.folder.clone() }))
    }

    /// SIGTERM to the group, SIGKILL after `grace`, and returns when none of it is left.
    pub(super) async fn end(self, grace: Duration) {
        let _ = killpg(self.group, Signal::SIGTERM);
        if !self.is_gone_within(grace).await {
            let _ = killpg(self.group, Signal::SIGKILL);
            self.is_gone_within(KILL_GRACE).await;
        }
        let _ = fs::remove_file(self.folder.join("pgid"));
    }

    async fn is_gone_within(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        loop {
            self.reap();
            if killpg(self.group, None) == Err(Errno::ESRCH) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            sleep(POLL).await;
        }
    }

    /// Waits for whatever of the group has exited.
    fn reap(&self) {
        let any_of_group = Pid::from_raw(-self.group.as_raw());
        while waitpid(any_of_group, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status != WaitStatus::StillAlive) {}
    }
}

/// `poweroff` and `shutdown` tell cloudsim that the operating system goes down; arguments are of no account.
fn write_power_scripts(plan: &Plan) -> io::Result<()> {
    let script = format!(
        "#!/bin/sh\nexec '{}' poweroff --instance '{}' --endpoint '{}'\n",
        plan.program.display(),
        plan.instance_id,
        plan.endpoint_url
    );
    for name in ["poweroff", "shutdown"] {
        write_script(&plan.folder.join("bin").join(name), script.as_bytes())?;
    }
    Ok(())
}

fn write_script(path: &Path, content: &[u8]) -> io::Result<()> {
    // A new file each time: an earlier boot's may still be open as a program.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::write(path, content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

async fn spawn(plan: &Plan, console: &File) -> io::Result<Pid> {
    let path = format!("{}:{}:{SYSTEM_PATH}", plan.folder.join("bin").display(), plan.image_dir.display());
    let mut tries = 0;
    loop {
        let mut command = Command::new(plan.folder.join("user-data"));
        command.current_dir(&plan.folder).process_group(0).env_clear();
        command.env("PATH", &path).env("HOME", &plan.folder).env("LANG", "C.UTF-8");
        command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &plan.metadata_url);
        command.stdin(Stdio::null()).stdout(console.try_clone()?).stderr(console.try_clone()?);
        match command.spawn() {
            // Another thread forked while the script was open for writing; its copy is closed in a moment.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < 50 => tries += 1,
            result => return i32::try_from(result?.id()).map(Pid::from_raw).map_err(io::Error::other),
        }
        sleep(POLL).await;
    }
}
