//! Where things lie: the checkout, the folder of the local stack, the tools, the built programs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

/// The folders that xtask works in. All are absolute.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The checkout.
    pub root: PathBuf,
    /// What runs and what it writes: `CLASSIFIERFLEET_DEV_DIR`, default `.dev` in the checkout.
    pub dev: PathBuf,
    /// What was installed once: `CLASSIFIERFLEET_TOOLS_DIR`, default `tools` in [`Paths::dev`].
    pub tools: PathBuf,
    /// The programs that cargo built: the folder of the running xtask.
    pub bin: PathBuf,
}

impl Paths {
    /// The folders of this run; none is made.
    ///
    /// # Errors
    /// When the running program or a relative folder cannot be located.
    pub fn discover() -> Result<Self> {
        // Asked of the environment first: when checkouts share a target folder, cargo takes over what another one compiled.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
        let root = manifest.ancestors().nth(2).context("the crate has left its place, dev/xtask")?.to_path_buf();
        let dev = from_env("CLASSIFIERFLEET_DEV_DIR")?.unwrap_or_else(|| root.join(".dev"));
        let tools = from_env("CLASSIFIERFLEET_TOOLS_DIR")?.unwrap_or_else(|| dev.join("tools"));
        Ok(Self { root, dev, tools, bin: bin_dir()? })
    }

    /// A program that cargo built.
    ///
    /// # Errors
    /// When it was not built.
    pub fn program(&self, name: &str) -> Result<PathBuf> {
        let path = self.bin.join(name);
        ensure!(path.is_file(), "{} is missing; `cargo build --workspace --bins` makes it", path.display());
        Ok(path)
    }

    /// Where what builds and installs writes what it says.
    #[must_use]
    pub fn build_log(&self, name: &str) -> PathBuf {
        self.dev.join("logs").join(format!("build-{name}.log"))
    }
}

/// Tests run from `deps`, one folder below the programs.
fn bin_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("the running program cannot be located")?;
    let folder = exe.parent().context("the running program has no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_path_buf())
}

fn from_env(name: &str) -> Result<Option<PathBuf>> {
    match std::env::var_os(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Some(std::path::absolute(&value).with_context(|| format!("{name}={} is no usable path", value.display()))?)),
        None => Ok(None),
    }
}
