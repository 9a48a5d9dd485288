//! The models that the worker's tests run, the library of its second engine, and the tests of the scripts that make models.

use anyhow::Result;
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::Progress;
use crate::tools::{self, Tools};

/// Makes what is missing; returns the environment in which tests find them.
pub(super) async fn ensure(paths: &Paths, tools: &Tools) -> Result<Vec<(String, String)>> {
    let folders = std::env::join_paths(tools.models(paths, Progress::printed()).await?)?;
    let found = [("CLASSIFIERFLEET_TEST_MODELS", folders), ("ORT_DYLIB_PATH", tools::onnxruntime(&tools.python)?.into_os_string())];
    Ok(found.map(|(name, value)| (name.to_owned(), value.to_string_lossy().into_owned())).into())
}

/// The scripts' own tests.
pub(super) fn scripts(paths: &Paths, tools: &Tools) -> Command {
    let mut python = Command::new(tools.python_program("python"));
    python.arg("-B").arg(paths.root.join("models/tests"));
    python
}
