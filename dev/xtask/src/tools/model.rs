//! Model folders, each made by its own recipe in `models`, and ONNX Runtime's library.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

/// The default model: what the local stack classifies with.
pub(super) const DEFAULT: &str = "efficientnet-lite0";
/// All that have a recipe.
pub(super) const ALL: [&str; 3] = [DEFAULT, "face-recognition", "open-nsfw"];

/// The folder with the manifest of the model `name` and the files it names.
pub(super) async fn ensure(paths: &Paths, python: &Path, name: &str, progress: Progress) -> Result<PathBuf> {
    let models = paths.root.join("models");
    let recipe = models.join(name);
    let inputs = Inputs::default().path(&recipe)?.path(&models.join("kit"))?;
    let python = python.join("bin/python");
    keyed::ensure(&paths.tools, name, inputs, |folder| async move {
        let log = paths.build_log(&format!("model-{name}"));
        let what = format!("making {name} from its weights (20 MB, the first time about half a minute; log {})", log.display());
        progress.say("model", what);
        let mut build = Command::new(python);
        build.arg("-B").arg(recipe.join("build.py")).arg("--out").arg(folder);
        progress.during("model", shell::run(&mut build, &log, "the virtual environment is damaged; remove it")).await?;
        progress.say("model", format!("made {name}"));
        Ok(())
    })
    .await
}

/// The library that the Python package onnxruntime brings along.
pub(super) fn onnxruntime(python: &Path) -> Result<PathBuf> {
    let folders = std::fs::read_dir(python.join("lib"))?.flatten();
    let folders = folders.map(|python| python.path().join("site-packages/onnxruntime/capi"));
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path());
    let is_library = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("libonnxruntime.so") || name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
    };
    files.into_iter().find(is_library).with_context(|| format!("{} holds no ONNX Runtime; remove it", python.display()))
}
