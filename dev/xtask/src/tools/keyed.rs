//! A folder that is made once from its inputs. Knows nothing of what is in it.

use std::fs::File;
use std::future::Future;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Marks a folder that was made to the end.
const COMPLETE: &str = ".complete";

/// What a folder is made from.
#[derive(Debug, Default)]
pub(super) struct Inputs(Sha256);

impl Inputs {
    /// Adds a text.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.update(text.len().to_le_bytes());
        self.0.update(text);
        self
    }

    /// Adds a file, or all files of a folder and its subfolders, but what Python compiles.
    pub(super) fn path(mut self, path: &Path) -> Result<Self> {
        let missing = || format!("{} is missing", path.display());
        if !path.metadata().with_context(missing)?.is_dir() {
            let bytes = std::fs::read(path).with_context(missing)?;
            self.0.update(bytes.len().to_le_bytes());
            self.0.update(bytes);
            return Ok(self);
        }
        let mut entries: Vec<_> = std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        entries.retain(|entry| !entry.ends_with("__pycache__"));
        entries.sort();
        entries
            .into_iter()
            .try_fold(self, |inputs, entry| inputs.text(&entry.file_name().unwrap_or_default().to_string_lossy()).path(&entry))
    }

    fn key(self) -> String {
        hex::encode(&self.0.finalize()[..6])
    }
}

/// The folder `NAME-KEY` in `tools`. If it is not there yet, `make` fills it; others that want it wait meanwhile.
pub(super) async fn ensure<F: Future<Output = Result<()>>>(
    tools: &Path,
    name: &str,
    inputs: Inputs,
    make: impl FnOnce(PathBuf) -> F,
) -> Result<PathBuf> {
    let folder = tools.join(format!("{name}-{}", inputs.key()));
    if folder.join(COMPLETE).exists() {
        return Ok(folder);
    }
    std::fs::create_dir_all(tools).with_context(|| format!("cannot make {}", tools.display()))?;
    let lock = File::create(folder.with_extension("lock"))?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    if !folder.join(COMPLETE).exists() {
        // It is made where it stays, as virtual environments cannot be moved.
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        }
        std::fs::create_dir_all(&folder)?;
        make(folder.clone()).await?;
        std::fs::write(folder.join(COMPLETE), "")?;
    }
    drop(lock);
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_is_made_once_and_again_when_its_inputs_change() {
        let tools = tempfile::tempdir().unwrap();
        let make = |folder: PathBuf| async move { Ok(std::fs::write(folder.join("made"), "")?) };
        let never = |_| async { anyhow::bail!("made again") };
        let first = ensure(tools.path(), "tool", Inputs::default().text("1"), make).await.unwrap();
        assert!(first.join("made").exists());
        assert_eq!(ensure(tools.path(), "tool", Inputs::default().text("1"), never).await.unwrap(), first);
        assert!(ensure(tools.path(), "tool", Inputs::default().text("2"), never).await.is_err());
        let second = ensure(tools.path(), "tool", Inputs::default().text("2"), make).await.unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn inputs_differ_by_content_and_by_split() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "1").unwrap();
        let before = Inputs::default().path(folder.path()).unwrap().key();
        std::fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(before, Inputs::default().path(folder.path()).unwrap().key());
        assert_ne!(Inputs::default().text("ab").text("c").key(), Inputs::default().text("a").text("bc").key());
        assert!(Inputs::default().path(&folder.path().join("none")).is_err());
    }
}
