//! Programs as they are shipped, from the same commit the same bytes: no path of the machine and no time of the build is in them.
//! Knows nothing of what becomes of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::target::Target;
use crate::progress::line;
use crate::release::Source;

/// Between the arguments in CARGO_ENCODED_RUSTFLAGS.
const SEPARATOR: &str = "\u{1f}";

/// Where and how programs are built.
pub(super) struct Builder<'a> {
    /// The checkout.
    pub(super) root: &'a Path,
    /// Cargo's folder for what it builds.
    pub(super) target_dir: &'a Path,
    /// The folder of zig and of cargo's way to it.
    pub(super) zig: &'a Path,
    pub(super) source: &'a Source,
}

impl Builder<'_> {
    /// Builds the program; answers with where it lies.
    pub(super) async fn build(&self, program: &str, target: Target) -> Result<PathBuf> {
        has_std(target).await?;
        let mut cargo = Command::new(self.zig.join("cargo-zigbuild"));
        cargo.current_dir(self.root).envs(self.env(target)?).kill_on_drop(true);
        cargo.args(["zigbuild", "--release", "--locked", "--bin", program, "--target", &target.for_zig(), "--target-dir"]);
        line(format!("== {program} for {} (the first time 10 to 20 minutes on 2 cores)", target.triple()));
        let status = cargo.arg(self.target_dir).status().await.context("cargo-zigbuild cannot be run")?;
        ensure!(status.success(), "{program} does not build for {}", target.triple());
        Ok(self.target_dir.join(target.triple()).join("release").join(program))
    }

    fn env(&self, target: Target) -> Result<Vec<(String, OsString)>> {
        let outer = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([self.zig.to_owned()].into_iter().chain(std::env::split_paths(&outer)))?;
        let renamed = self.renamed()?;
        let each = |option: &str| renamed.iter().map(|renaming| format!("{option}={renaming}")).collect::<Vec<_>>();
        Ok(vec![
            ("PATH".to_owned(), path),
            ("SOURCE_DATE_EPOCH".to_owned(), self.source.seconds().to_string().into()),
            ("CARGO_ENCODED_RUSTFLAGS".to_owned(), each("--remap-path-prefix").join(SEPARATOR).into()),
            (format!("CFLAGS_{}", target.triple().replace('-', "_")), each("-ffile-prefix-map").join(" ").into()),
        ])
    }

    /// What panics, asserts and the like call the folders, so that they are the same on each machine. The last one that fits counts.
    fn renamed(&self) -> Result<[String; 3]> {
        let home = std::env::home_dir().context("there is no home directory")?;
        let cargo = std::env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let names = [(cargo.as_path(), "/cargo"), (self.root, "/classifierfleet"), (self.target_dir, "/target")];
        Ok(names.map(|(folder, name)| format!("{}={name}", folder.display())))
    }
}

/// Cargo would say "can't find crate for `core`" hundreds of times.
async fn has_std(target: Target) -> Result<()> {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", target.triple()]).output().await;
    let folder = String::from_utf8(rustc.context("rustc cannot be run")?.stdout)?;
    let installed = Path::new(folder.trim()).is_dir();
    ensure!(installed, "Rust's standard library for {0} is not installed: rustup target add {0}", target.triple());
    Ok(())
}
