//! What a node needs besides Kubernetes: a container runtime, network plugins, what sets networks up. Debian's packages, unpacked into
//! a folder of their own: nothing is installed, no service started. Must not know how they are used.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

const PACKAGES: [&str; 5] = ["containerd", "runc", "containernetworking-plugins", "nftables", "iproute2"];
const HINT: &str = "a node needs packages of Debian or Ubuntu, and root to fetch them";

/// The packages' files.
#[derive(Debug, Clone)]
pub(crate) struct NodeTools {
    root: PathBuf,
}

/// The folder with the unpacked packages. Those that the system lacks are fetched along with what they depend on.
pub(super) async fn ensure(paths: &Paths, progress: Progress) -> Result<NodeTools> {
    let has_apt = ["/usr/bin/apt-get", "/usr/bin/dpkg-deb"].iter().all(|program| Path::new(program).is_file());
    ensure!(has_apt && shell::is_root(), HINT);
    let release = std::fs::read_to_string("/etc/os-release").context("/etc/os-release does not tell which Debian this is")?;
    let inputs = Inputs::default().text(&PACKAGES.join(" ")).text(&release);
    let folder = keyed::ensure(&paths.tools, "node", inputs, async |folder| {
        progress
            .say("node", format!("fetching containerd and network plugins (40 MB from Debian; log {})", paths.build_log("node").display()));
        fetch(&paths.build_log("node"), &folder).await
    });
    Ok(NodeTools { root: folder.await? })
}

async fn fetch(log: &Path, folder: &Path) -> Result<()> {
    let archives = folder.join("archives");
    std::fs::create_dir_all(archives.join("partial"))?;
    let mut update = Command::new("apt-get");
    shell::run(update.args(["update", "--quiet"]), log, HINT).await?;
    let mut download = Command::new("apt-get");
    download.args(["install", "--download-only", "--reinstall", "--yes", "--quiet", "--no-install-recommends", "--option"]);
    // apt fetches as a user of its own, who may not enter root's folders.
    let sandbox = ["--option", "APT::Sandbox::User=root"];
    download.arg(format!("Dir::Cache::archives={}", archives.display())).args(sandbox).args(PACKAGES);
    shell::run(download.env("DEBIAN_FRONTEND", "noninteractive"), log, HINT).await?;
    for entry in std::fs::read_dir(&archives)?.flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "deb") {
            shell::run(Command::new("dpkg-deb").arg("--extract").arg(entry.path()).arg(folder), log, HINT).await?;
        }
    }
    std::fs::remove_dir_all(archives).context("the archives cannot be removed")
}

impl NodeTools {
    /// Folder of the network plugins.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.root.join("usr/lib/cni")
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
        ["usr/bin", "usr/sbin", "bin", "sbin"].map(|folder| self.root.join(folder))
    }

    /// `x86_64-linux-gnu` and the like in `folder`.
    fn libraries(&self, folder: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
    }
}
