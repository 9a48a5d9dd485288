//! `cargo xtask test`: everything that must pass, and how much of it there was.

mod counts;
mod fidelity;
mod leftovers;
mod models;
mod services;
mod step;
mod suite;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use clap::Args;

use self::counts::Counts;
use self::step::Steps;
use crate::node;
use crate::paths::Paths;
use crate::process::Supervisor;
use crate::progress::{Progress, line};
use crate::stack;
use crate::tools::{self, Tools};

/// How much to test.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Only what needs neither Kubernetes nor stand-ins for AWS.
    #[arg(long)]
    quick: bool,
    /// Ends after so many minutes: what has not ended by then is ended, and has failed.
    #[arg(long, value_name = "MINUTES")]
    within: Option<u64>,
}

pub(super) async fn run(paths: &Paths, args: TestArgs) -> Result<ExitCode> {
    let folder = paths.dev.join("test");
    leftovers::clear(&folder)?;
    let interrupted = service::shutdown::on_signal()?;
    let services = Supervisor::new(&folder.join(format!("services-{}", std::process::id())))?;
    let outcome = tokio::select! {
        outcome = all(paths, args, &services) => outcome,
        () = interrupted.cancelled() => Err(anyhow!("interrupted")),
    };
    stack::end_all(&services).await?;
    if outcome.is_err() {
        // The tests are ended with cargo; what they ran on is not.
        tokio::time::sleep(Duration::from_secs(1)).await;
        leftovers::clear(&folder)?;
    }
    outcome
}

async fn all(paths: &Paths, args: TestArgs, services: &Supervisor) -> Result<ExitCode> {
    let deadline = args.within.map(|minutes| Instant::now() + Duration::from_mins(minutes));
    let mut steps = Steps::new(paths, deadline);
    let output = &paths.dev.join("test").join(format!("output-{}", std::process::id()));
    steps.cargo("format", &["fmt", "--all", "--check"]).await?;
    steps.cargo("clippy", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]).await?;
    if has_cargo_deny().await {
        steps.cargo("licences, bans, sources", &["deny", "check", "licenses", "bans", "sources"]).await?;
    }
    if args.quick {
        let suites = steps.compile().await?;
        steps.suites(output, suites, &[]).await?;
    } else {
        everything(paths, services, output, &mut steps).await?;
    }
    Ok(finish(&steps))
}

/// The tests that need the real things, with the real things.
async fn everything(paths: &Paths, services: &Supervisor, output: &Path, steps: &mut Steps<'_>) -> Result<()> {
    let built = steps.cargo("build", &["build", "--workspace", "--bins"]).await?;
    let progress = Progress::printed();
    let tools = steps.check("tools", Tools::ensure(paths, progress)).await;
    let Some(tools) = tools.filter(|_| built) else { return Ok(()) };
    let models = steps.check("models", models::ensure(paths, &tools)).await;
    let of_single_tests = async {
        tools::of_single_tests(paths, progress).await.iter().for_each(|missing| line(format!("{missing:#}")));
        Ok(())
    };
    steps.check("tools of single tests", of_single_tests).await;
    let env = steps.check("MiniStack and moto", services::start(services, paths, &tools)).await;
    if let (Some(models), Some(env)) = (models, env) {
        steps.env(models);
        steps.env(env);
        let mut args = vec!["--include-ignored"];
        args.extend(without_node(paths, steps).await);
        let suites = steps.compile().await?;
        steps.suites(output, suites, &args).await?;
        steps.program("models: their scripts", "models: their scripts", models::scripts(paths, &tools)).await?;
        fidelity::check(paths, &tools, steps).await?;
    }
    steps.check("no process is left", async { leftovers::none(&paths.dev.join("test")) }).await;
    Ok(())
}

/// What leaves the tests out that need a node, which are called so, where this machine can have none. CI must have one.
async fn without_node(paths: &Paths, steps: &mut Steps<'_>) -> &'static [&'static str] {
    const NAME: &str = "pods on a real node";
    match node::is_possible(paths, Progress::printed()).await {
        Ok(()) => return &[],
        Err(error) if std::env::var_os("CI").is_none() => steps.skip(NAME, &error),
        Err(error) => drop(steps.check::<()>(NAME, async { Err(error) }).await),
    }
    &["--skip", "on_a_real_node"]
}

async fn has_cargo_deny() -> bool {
    let version = tokio::process::Command::new("cargo-deny").arg("--version").output().await;
    version.is_ok_and(|output| output.status.success())
}

/// The summary; its last line is the count.
fn finish(steps: &Steps<'_>) -> ExitCode {
    line(format!("\n{}", steps.summary()));
    let Counts { passed, failed, skipped } = steps.counts();
    line(format!("{passed} passed, {failed} failed, {skipped} skipped"));
    // What failed was said where it failed: the count stays the last line.
    if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
