//! From arguments to what is printed.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Result, bail};
use crds::ClassifierFleet;
use jiff::Timestamp;
use kube::ResourceExt as _;
use serde::Serialize;

use crate::args::{Cli, Command, ExplainArgs, Output, Situation};
use crate::cluster::Cluster;
use crate::explain::{self, Explanation};
use crate::forecast;
use crate::paint::Paint;
use crate::{completions, doctor, logs, manifest, simulate, status};

/// Answers `cli` on standard output; false: what was found is not as it should be.
///
/// # Errors
/// When it cannot be answered: why, and what to do.
pub async fn run(cli: Cli) -> Result<bool> {
    match cli.command {
        Command::Explain(args) => explain(*args).await,
        Command::Simulate(args) => simulate::run(*args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Status(args) => status::run(&args).await.map(|()| true),
        Command::Logs(args) => logs::run(&args).await,
        Command::Completions { completer } => completions::script(completer).map(|()| true),
        Command::Complete { words } => completions::answer(words).map(|()| true),
    }
}

async fn explain(args: ExplainArgs) -> Result<bool> {
    let ExplainArgs { name, file, output, cluster, situation } = args;
    if let Some(file) = file {
        return from_file(&file, &situation, output);
    }
    if situation != Situation::default() {
        bail!("a situation such as --backlog is made up, offline: give the fleet as a file (-f FILE), not by name");
    }
    let cluster = Cluster::connect(&cluster, false).await?;
    let fleets = cluster.list(name.as_deref()).await?;
    explained(&fleets, output, Timestamp::now())
}

fn from_file(file: &Path, situation: &Situation, output: Output) -> Result<bool> {
    let fleets = manifest::read(file)?;
    let now = Timestamp::now();
    if situation.is_given() {
        let forecasts = fleets.iter().map(|fleet| forecast::forecast(fleet, situation, now));
        let forecasts = forecasts.collect::<Result<Vec<_>, _>>()?;
        return print(&forecasts, output, |forecast| forecast::text(forecast, Paint::for_stdout())).map(|()| true);
    }
    let undecided = fleets.iter().find(|fleet| fleet.status.as_ref().is_none_or(|status| status.decision.is_none()));
    if let Some(fleet) = undecided {
        bail!(
            "{} has no decision in its status to explain. Say how many jobs wait (--backlog 300) for what would happen, or save a live one with kubectl get cfleet {0} -o yaml",
            fleet.name_any()
        );
    }
    explained(&fleets, output, now)
}

fn explained(fleets: &[ClassifierFleet], output: Output, now: Timestamp) -> Result<bool> {
    let explanations: Vec<Explanation> = fleets.iter().map(|fleet| Explanation::of(fleet, now)).collect();
    print(&explanations, output, |explanation| explain::text(explanation, Paint::for_stdout(), now))?;
    Ok(explanations.iter().all(Explanation::holds))
}

/// One thing as itself, several as a list.
fn print<T: Serialize>(things: &[T], output: Output, text: impl Fn(&T) -> String) -> Result<()> {
    let rendered = match (output, things) {
        (Output::Text, _) => things.iter().map(text).collect::<Vec<_>>().join("\n"),
        (Output::Json, [one]) => serde_json::to_string_pretty(one)? + "\n",
        (Output::Json, several) => serde_json::to_string_pretty(several)? + "\n",
        (Output::Yaml, [one]) => serde_saphyr::to_string(one)?,
        (Output::Yaml, several) => serde_saphyr::to_string(&several)?,
    };
    Ok(std::io::stdout().lock().write_all(rendered.as_bytes())?)
}
