//! Which commit a release is made of, and when that was made. Knows nothing of what is made.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use tokio::process::Command;

/// The commit that is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its hash; with `-dirty` where files differ from it.
    pub revision: String,
    /// When it was made: the time of all files of the release.
    pub time: Timestamp,
}

impl Source {
    /// That of the checkout in `root`.
    ///
    /// # Errors
    /// When it is no checkout of git.
    pub async fn of(root: &Path) -> Result<Self> {
        let commit = git(root, &["log", "-1", "--format=%H %ct"]).await?;
        let changed = git(root, &["status", "--porcelain"]).await?;
        let (hash, seconds) = commit.trim().split_once(' ').context("git tells no commit")?;
        let mark = if changed.is_empty() { "" } else { "-dirty" };
        Ok(Self { revision: format!("{hash}{mark}"), time: Timestamp::from_second(seconds.parse()?)? })
    }

    /// Seconds since 1970.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.time.as_second()).unwrap_or_default()
    }
}

/// What git says.
pub(crate) async fn git(root: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git").current_dir(root).args(args).kill_on_drop(true).output().await.context("git cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {} in {}: {}", args.join(" "), root.display(), said.trim());
    Ok(String::from_utf8(output.stdout)?)
}
