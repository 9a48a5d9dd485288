//! `cargo xtask verify`: the launch protocol through every order of faults, as far as minutes go. What is checked, the test says.

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::paths::Paths;

pub(super) async fn run(paths: &Paths) -> Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(&paths.root).args(["test", "--release", "--test", "launch_protocol", "--", "--nocapture"]);
    // More than the tests explore each time.
    cargo.env("CLASSIFIERFLEET_VERIFY", "more");
    let status = cargo.arg("--test-threads=1").kill_on_drop(true).status().await.context("cargo cannot be run")?;
    ensure!(status.success(), "an order of faults breaks a promise: the shortest way to it stands above.");
    Ok(())
}
