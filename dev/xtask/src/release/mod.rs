//! What a release holds besides bare programs: images, archives, bills of materials, the chart, bundles of manifests, notes, checksums.
//! The same commit makes the same bytes, wherever it lies and whenever that is done. Must not know how programs are built.

mod bill;
mod bundle;
mod image;
mod krew;
mod notes;
mod source;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

pub(crate) use self::krew::PLUGIN;
pub use self::source::Source;
pub(crate) use self::source::git;
use crate::paths::Paths;

/// The version of everything that is shipped: that of the workspace.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A release that is being made in a folder.
#[derive(Debug)]
pub struct Release<'a> {
    paths: &'a Paths,
    source: &'a Source,
    out: PathBuf,
    files: Vec<PathBuf>,
}

impl<'a> Release<'a> {
    /// One without files, in the folder `out`, which is made if it is missing. `paths.root` must be the checkout of `source`.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(paths: &'a Paths, source: &'a Source, out: &Path) -> Result<Self> {
        std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        Ok(Self { paths, source, out: out.to_owned(), files: Vec::new() })
    }

    /// Its files so far.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Writes `SHA256SUMS` of all its files, as `sha256sum --check` reads it.
    ///
    /// # Errors
    /// When a file cannot be read, or this one not written.
    pub fn sums(mut self) -> Result<Vec<PathBuf>> {
        self.files.sort();
        let mut sums = String::new();
        for file in &self.files {
            writeln!(sums, "{}  {}", sha256(file)?, file.file_name().unwrap_or_default().display())?;
        }
        self.write("SHA256SUMS", sums.as_bytes())?;
        Ok(self.files)
    }

    /// Where the file `name` goes, which is counted as one of the release.
    pub(crate) fn place(&mut self, name: &str) -> PathBuf {
        let path = self.out.join(name);
        self.files.push(path.clone());
        path
    }

    fn write(&mut self, name: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.place(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

/// The SHA-256 of a file, in hexadecimal digits.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    Ok(hex::encode(Sha256::digest(read(file)?)))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
