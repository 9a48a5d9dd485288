//! The stand-ins for AWS that tests speak to: MiniStack for SQS and S3, moto as the second opinion on EC2.

use std::time::Duration;

use anyhow::Result;

use crate::paths::Paths;
use crate::process::{Command, Supervisor};
use crate::progress::Progress;
use crate::stack::{CREDENTIALS, Launcher, Part, start_ministack};
use crate::tools::Tools;
use crate::wait;

/// Starts both; returns the environment in which tests find them.
pub(super) async fn start(supervisor: &Supervisor, paths: &Paths, tools: &Tools) -> Result<Vec<(String, String)>> {
    let launcher = Launcher::new(supervisor.clone(), paths.clone(), tools.clone(), Progress::quiet())?;
    let (ministack, moto) = tokio::try_join!(start_ministack(&launcher), start_moto(&launcher))?;
    let endpoints = [("AWS_ENDPOINT_URL_SQS", &ministack), ("AWS_ENDPOINT_URL_S3", &ministack), ("CLASSIFIERFLEET_MOTO_URL", &moto)];
    let endpoints = endpoints.map(|(name, value)| (name.to_owned(), value.clone()));
    Ok(CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(endpoints).collect())
}

async fn start_moto(launcher: &Launcher) -> Result<String> {
    let command = || {
        let args = ["-H".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), launcher.ports.of("moto")?.to_string()];
        Ok(Command::new("moto", launcher.tools.python_program("moto_server")).env(CREDENTIALS).args(args))
    };
    let ready = async || match launcher.url("moto") {
        Ok(url) => wait::answers(&launcher.http, &format!("{url}/moto-api/")).await,
        Err(_) => false,
    };
    launcher.start(Part { name: "moto", ports: &["moto"], limit: Duration::from_secs(60) }, command, ready).await?;
    launcher.url("moto")
}
