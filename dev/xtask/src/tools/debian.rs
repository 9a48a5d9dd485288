//! Debian's packages, unpacked into a folder of their own: nothing is installed, no service started. Must not know what they are for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const HINT: &str =
    "its packages come from Debian or Ubuntu, by apt-get; root's `apt-get update` renews a list of packages that is old or missing";

/// The files of packages, as they would lie below `/`.
#[derive(Debug, Clone)]
pub(crate) struct Packages {
    root: PathBuf,
}

/// The folder `name` with `packages` and what they depend on, as far as this machine lacks it.
pub(super) async fn ensure(paths: &Paths, name: &str, packages: &[&str], progress: Progress) -> Result<Packages> {
    let has_apt = ["/usr/bin/apt-get", "/usr/bin/dpkg-deb"].iter().all(|program| Path::new(program).is_file());
    ensure!(has_apt, "{name} is not to be had on this system; {HINT}");
    let release = std::fs::read_to_string("/etc/os-release").context("/etc/os-release does not tell which Debian this is")?;
    let inputs = Inputs::default().text(&packages.join(" ")).text(&release);
    let root = keyed::ensure(&paths.tools, name, inputs, async |folder| {
        let log = paths.build_log(name);
        progress.say(name, format!("fetching {} of Debian (log {})", packages.join(", "), log.display()));
        progress.during(name, unpack(&log, &folder, packages)).await
    });
    Ok(Packages { root: root.await? })
}

async fn unpack(log: &Path, folder: &Path, packages: &[&str]) -> Result<()> {
    let archives = folder.join("archives");
    std::fs::create_dir_all(archives.join("partial"))?;
    if shell::run(&mut download(&archives, packages), log, HINT).await.is_err() {
        // Its lists are old, or there are none yet. Only root may renew them.
        shell::run(Command::new("apt-get").args(["update", "--quiet"]), log, HINT).await.context(HINT)?;
        shell::run(&mut download(&archives, packages), log, HINT).await.context(HINT)?;
    }
    for entry in std::fs::read_dir(&archives)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            shell::run(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(folder), log, HINT).await?;
        }
    }
    std::fs::remove_dir_all(archives).context("the archives cannot be removed")
}

/// Needs no root: it locks nothing, and writes below `archives` alone.
fn download(archives: &Path, packages: &[&str]) -> Command {
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--download-only", "--reinstall", "--yes", "--quiet", "--no-install-recommends"]);
    // apt fetches as a user of its own, who may not enter our folders.
    let options =
        [format!("Dir::Cache::archives={}", archives.display()), "APT::Sandbox::User=root".into(), "Debug::NoLocking=true".into()];
    apt.args(options.iter().flat_map(|option| ["--option", option])).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

impl Packages {
    /// A folder or file of the packages, by its path below `/`.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A program of the packages.
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf> {
        let program = self.folders().map(|folder| folder.join(name)).into_iter().find(|program| program.is_file());
        program.with_context(|| format!("{name} is missing in {}; remove that folder, and it is fetched again", self.root.display()))
    }

    /// The environment in which the packages' programs find each other and their libraries.
    pub(crate) fn env(&self) -> Result<Vec<(String, String)>> {
        let outer = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(self.folders().into_iter().chain(std::env::split_paths(&outer)))?;
        let libraries = ["usr/lib", "lib"].into_iter().flat_map(|folder| self.libraries(folder));
        let text = |name: &str, value: OsString| (name.to_owned(), value.to_string_lossy().into_owned());
        Ok(vec![text("PATH", path), text("LD_LIBRARY_PATH", std::env::join_paths(libraries)?)])
    }

    fn folders(&self) -> [PathBuf; 4] {
        ["usr/bin", "usr/sbin", "bin", "sbin"].map(|folder| self.path(folder))
    }

    /// `x86_64-linux-gnu` and the like in `folder`.
    fn libraries(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
    }
}
