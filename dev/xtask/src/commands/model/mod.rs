//! `cargo xtask model`: one's own networks as model folders. Knows which engines check a folder; what is in one, `models/add.py` knows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Subcommand};
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::{Progress, line};
use crate::tools;

/// The worker's engines.
const ENGINES: [&str; 2] = ["tract", "onnxruntime"];

/// What to do.
#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    #[command(subcommand)]
    command: ModelCommand,
}

#[derive(Debug, Subcommand)]
enum ModelCommand {
    /// Makes a model folder of an ONNX file and checks it with each engine of the worker; `add --help` tells its arguments.
    #[command(disable_help_flag = true)]
    Add(AddArgs),
    /// Checks a model folder with each engine of the worker, and tells what it takes images for.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Arguments of models/add.py.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    arguments: Vec<OsString>,
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// The model folder.
    folder: PathBuf,
    /// Image files to classify.
    images: Vec<PathBuf>,
}

pub(super) async fn run(paths: &Paths, args: ModelArgs) -> Result<()> {
    let python = tools::python(paths, Progress::printed()).await?;
    match args.command {
        ModelCommand::Add(args) => add(paths, &python, &args.arguments).await,
        ModelCommand::Check(args) => check(paths, &python, &args.folder, &args.images).await,
    }
}

async fn add(paths: &Paths, python: &Path, arguments: &[OsString]) -> Result<()> {
    let mut script = Command::new(python.join("bin/python"));
    script.arg("-B").arg(paths.root.join("models/add.py")).args(arguments);
    ensure!(script.status().await.context("Python cannot be run")?.success(), "no model folder was made; the reason is above");
    match value_of("--out", arguments) {
        Some(folder) => check(paths, python, &folder, &[]).await,
        // It was asked for help.
        None => Ok(()),
    }
}

/// Loads the folder as a worker does: hashes, manifest, network, golden output.
async fn check(paths: &Paths, python: &Path, folder: &Path, images: &[PathBuf]) -> Result<()> {
    let library = tools::onnxruntime(python)?;
    for engine in ENGINES {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["run", "--quiet", "--manifest-path"]).arg(paths.root.join("Cargo.toml")).args(["--example", "classify", "--"]);
        cargo.args(["--engine", engine, "--onnxruntime-library"]).arg(&library).arg("--model").arg(folder).args(images);
        let passed = cargo.status().await.context("cargo cannot be run")?.success();
        ensure!(passed, "a worker would refuse {} with the engine {engine}; the reason is above", folder.display());
    }
    line(format!("{} is ready to be uploaded: every file of it, under one prefix of a bucket", folder.display()));
    Ok(())
}

/// The value of `--name value` or `--name=value`.
fn value_of(name: &str, arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == name {
            return rest.next().map(PathBuf::from);
        }
        if let Some(value) = text.strip_prefix(name).and_then(|text| text.strip_prefix('=')) {
            return Some(PathBuf::from(value));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::value_of;

    #[test]
    fn the_folder_is_found_as_the_script_finds_it() {
        let table: [(&[&str], Option<&str>); 5] = [
            (&["a.onnx", "--out", "x"], Some("x")),
            (&["--out=x/y", "a.onnx"], Some("x/y")),
            (&["--outer", "x"], None),
            (&["--help"], None),
            (&["--out"], None),
        ];
        for (arguments, folder) in table {
            let given: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            assert_eq!(value_of("--out", &given), folder.map(PathBuf::from), "{arguments:?}");
        }
    }
}
