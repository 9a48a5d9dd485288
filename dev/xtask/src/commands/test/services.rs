//! The stand-ins for AWS that tests speak to: MiniStack for SQS and S3, moto as the second opinion on EC2; and where the virtual
//! environment is whose programs tests run.

use anyhow::Result;

use crate::paths::Paths;
use crate::process::Supervisor;
use crate::progress::Progress;
use crate::stack::{CREDENTIALS, Launcher, start_ministack, start_moto};
use crate::tools::Tools;

/// Starts both; returns the environment in which tests find them.
pub(super) async fn start(supervisor: &Supervisor, paths: &Paths, tools: &Tools) -> Result<Vec<(String, String)>> {
    let launcher = Launcher::new(supervisor.clone(), paths.clone(), tools.clone(), Progress::quiet())?;
    let (ministack, moto) = tokio::try_join!(start_ministack(&launcher, false), start_moto(&launcher))?;
    let endpoints = [("AWS_ENDPOINT_URL_SQS", &ministack), ("AWS_ENDPOINT_URL_S3", &ministack), ("CLASSIFIERFLEET_MOTO_URL", &moto)];
    let endpoints = endpoints.map(|(name, value)| (name.to_owned(), value.clone()));
    let python = ("CLASSIFIERFLEET_TEST_PYTHON".to_owned(), tools.python.display().to_string());
    Ok(CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().chain(endpoints).chain([python]).collect())
}
