//! What is written down about a process, so that another xtask can find and end it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A process that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Unique in its stack.
    pub name: String,
    /// Its id, and that of its group.
    pub pid: i32,
    /// When it was started.
    pub since: Timestamp,
    /// Hash of program, arguments and environment: another one means that it has to be started again.
    pub fingerprint: String,
    /// What it prints.
    pub log: PathBuf,
    /// Where a person or a client finds it.
    pub url: Option<String>,
}

impl Record {
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let file = Self::file(folder, &self.name);
        std::fs::write(&file, serde_json::to_vec_pretty(self)?).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The record of `name`, if there is a readable one.
    pub(super) fn read(folder: &Path, name: &str) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(Self::file(folder, name)).ok()?).ok()
    }

    /// All records in `folder`, oldest first.
    pub(super) fn all(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut records: Vec<Self> = entries.filter_map(|entry| serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok()).collect();
        records.sort_by_key(|record| record.since);
        records
    }

    pub(super) fn remove(&self, folder: &Path) {
        let _ = std::fs::remove_file(Self::file(folder, &self.name));
    }

    fn file(folder: &Path, name: &str) -> PathBuf {
        folder.join(format!("{name}.process.json"))
    }
}
