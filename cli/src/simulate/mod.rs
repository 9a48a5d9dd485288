//! What fleets, and other people's policies, would do under a load: played in virtual time by the crate `sim`. Asks no cluster.

pub mod args;
mod chart;
mod sweep;
mod text;

use std::path::Path;

use anyhow::{Context as _, Result};
use crds::ClassifierFleet;
use kube::ResourceExt as _;
use serde::Serialize;
use sim::bound::{Task, lower_bound};
use sim::fleet::Fleet;
use sim::policy::Policy;
use sim::report::Report;
use sim::run::{Played, Scenario, run as play};

use crate::args::Output;
use crate::manifest;
use args::{Assumed, SimulateArgs, Slo};

/// What was played, and what came of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Simulation {
    /// Images uploaded.
    images: usize,
    /// From the first upload to the last, in seconds.
    load_seconds: f64,
    /// As given.
    boot_seconds: String,
    /// As given.
    boot_warm_seconds: String,
    /// As given.
    service_seconds: String,
    /// As given.
    seed: u64,
    /// A report for each policy, or each number of a sweep.
    runs: Vec<Report>,
    /// The cheapest of a sweep that meets what must be met.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheapest: Option<String>,
}

/// A policy, and within how many seconds it promises answers.
type Contender = (Box<dyn Policy>, Option<f64>);

/// Plays what `args` say and prints what came of it; false when what must be met was not.
///
/// # Errors
/// When it cannot be played: why, and what to do.
pub async fn run(args: SimulateArgs) -> Result<bool> {
    // It computes, and has a runtime of its own.
    tokio::task::spawn_blocking(move || simulate(&args)).await?
}

fn simulate(args: &SimulateArgs) -> Result<bool> {
    let scenario = scenario(args)?;
    let fleets = manifest::read(&args.file)?;
    let contenders = match &args.sweep {
        Some(sweep) => sweep::contenders(&fleets[0], sweep)?,
        None => contenders(fleets, args)?,
    };
    let mut played = Vec::new();
    let mut runs = Vec::new();
    for (policy, promise) in &contenders {
        let one = play(&scenario, policy.as_ref())?;
        let mut report = Report::of(&one, args.assumed.usd_per_hour, *promise);
        report.bound_seconds = bound(&one, &report, &args.assumed);
        runs.push(report);
        played.push(one);
    }
    let offsets = &played[0].offsets;
    let simulation = Simulation {
        images: offsets.len(),
        load_seconds: offsets.last().copied().unwrap_or_default() - offsets.first().copied().unwrap_or_default(),
        boot_seconds: args.assumed.boot_seconds.to_string(),
        boot_warm_seconds: args.assumed.boot_warm_seconds.to_string(),
        service_seconds: args.assumed.service_seconds.to_string(),
        seed: args.assumed.seed,
        cheapest: args.sweep.as_ref().and_then(|_| sweep::cheapest(&runs, args.slo)),
        runs,
    };
    if let Some(path) = &args.chart {
        chart::write(path, &played, args.assumed.usd_per_hour)?;
    }
    print(&simulation, args)?;
    Ok(is_met(&simulation, args))
}

fn scenario(args: &SimulateArgs) -> Result<Scenario> {
    let mut scenario = Scenario::new(args.load.arrivals()?);
    let settings = &mut scenario.settings;
    settings.seed = args.assumed.seed;
    settings.worker.boot_cold = args.assumed.boot_seconds;
    settings.worker.boot_warm = args.assumed.boot_warm_seconds;
    settings.worker.service = args.assumed.service_seconds;
    settings.worker.parallelism = usize::from(args.assumed.parallelism);
    settings.cloud.describe_lag = args.assumed.describe_lag.try_into().context("--describe-lag is too long")?;
    settings.capacity = args.assumed.capacity.clone().unwrap_or_default();
    settings.spot_life = args.assumed.spot_life_seconds;
    settings.requests.counter_lag = args.assumed.counter_lag.try_into().context("--counter-lag is too long")?;
    Ok(scenario)
}

fn contenders(mut fleets: Vec<ClassifierFleet>, args: &SimulateArgs) -> Result<Vec<Contender>> {
    let max = u32::try_from(fleets[0].spec.workers.max).unwrap_or_default();
    for file in &args.compare {
        fleets.extend(manifest::read(file)?);
    }
    let ours = fleets.into_iter().map(|fleet| contender(fleet.name_any(), fleet));
    let peers = args.policy.iter().flat_map(|name| name.peers());
    let peers = peers.map(|peer| (Box::new(peer.with_max(max)) as Box<dyn Policy>, None));
    Ok(ours.chain(peers).collect())
}

fn contender(name: String, fleet: ClassifierFleet) -> Contender {
    let promise = fleet.spec.scaling.target.drain_seconds.map(f64::from);
    (Box::new(Fleet::new(name, fleet)), promise)
}

/// What nobody can be cheaper than who is as quick at the 99th percentile. Where it cannot be had, it is left out.
fn bound(played: &Played, report: &Report, assumed: &Assumed) -> Option<f64> {
    let pending = sim::world::Settings::default().cloud.pending_delay.as_secs_f64();
    let task = Task {
        service: assumed.service_seconds.mean() / f64::from(assumed.parallelism),
        boot: (assumed.boot_seconds.mean() - pending).max(0.0),
        deadline: report.p99,
        max: 100_000,
        late: played.offsets.len() / 100,
    };
    lower_bound(&played.offsets, task).ok().map(|bound| (bound * 10.0).round() / 10.0)
}

fn print(simulation: &Simulation, args: &SimulateArgs) -> Result<()> {
    use std::io::Write as _;
    let rendered = match args.output {
        Output::Text => text::text(simulation, args.slo),
        Output::Json => serde_json::to_string_pretty(simulation)? + "\n",
        Output::Yaml => serde_saphyr::to_string(simulation)?,
    };
    Ok(std::io::stdout().lock().write_all(rendered.as_bytes())?)
}

/// With --slo, of a sweep any run must meet it, else all fleets' and policies'.
fn is_met(simulation: &Simulation, args: &SimulateArgs) -> bool {
    let meets = |slo: Slo| simulation.runs.iter().all(|report| slo.is_met(report));
    match (&args.sweep, args.slo) {
        (Some(_), _) => simulation.cheapest.is_some(),
        (None, slo) => slo.is_none_or(meets),
    }
}

/// Whether `path` ends so.
fn ends_with(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|it| it.eq_ignore_ascii_case(extension))
}
