//! `cargo xtask bench policies`: four fleets and everybody else's policies under six loads, in virtual time. Owns which loads; what
//! is played is `kubectl fleet simulate`.

mod table;

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Deserialize;
use tokio::process::Command;

use super::section::Section;
use crate::paths::Paths;
use crate::progress::line;

pub(super) const ABOUT: &str = "\
Four of our fleets (each image within 60, 120 or 240 s, five images a worker; up to 20 workers) beside KEDA with the HPA, Auto Scaling
groups, Knative's autoscaler and the policies of the systems that this project re-does, by `kubectl fleet simulate`: a burst of 100 and
of 300, steps, Poisson, a swinging load, and a real trace. For each: P50 and P99 of the time to an answer, starts, billed seconds, and how
many times that is what who knew the future would have needed for the same P99; medians of all seeds. Then the headline runs of those systems.
Takes minutes, whatever else the machine does. Writes bench/policies.json in the folder of the local stack (.dev).";

/// How much to play.
#[derive(Debug, Args)]
pub(super) struct PoliciesArgs {
    /// How often, each time with another seed of all that is random: 1, 2 and so on.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
}

/// A load: what it is called, and how `simulate` is told.
const LOADS: [(&str, &[&str]); 5] = [
    ("burst of 100", &["--burst", "100"]),
    ("burst of 300", &["--burst", "300"]),
    ("steps: 0, 2, 8, 1 a second, 10 min each", &["--steps", "0,2,8,1/s", "--for", "40m"]),
    ("Poisson: 2 a second for an hour", &["--poisson", "2/s", "--for", "1h"]),
    ("swinging: 0.05 to 6 a second and back within an hour", &["--diurnal", "0.05..6/s", "--for", "1h"]),
];
const REAL: &str = "real: requests to a language model, 8,819 in 57 min";
const TRACE: &str = "sim/traces/azure-llm-2023-code.csv";

/// The headline runs of the systems that this project re-does: what, theirs, how `simulate` is told. An image takes a worker on a small
/// instance 50 ms.
const HEADLINES: [(&str, &str, &[&str]); 3] = [
    ("100 images, up to 20 instances", "130 s", &["--burst", "100", "--service-seconds", "0.05"]),
    ("20 images, cold", "210 s on one instance", &["--burst", "20", "--service-seconds", "0.05"]),
    ("one image, cold", "4 s with instances that ran", &["--burst", "1", "--service-seconds", "0.05"]),
];

/// What `simulate` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Simulation {
    runs: Vec<Run>,
}

/// One policy's run.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    policy: String,
    unanswered: usize,
    p50: f64,
    p99: f64,
    makespan: f64,
    starts: usize,
    billed_seconds: f64,
    bound_seconds: Option<f64>,
    ended_busy: u32,
}

pub(super) async fn run(paths: &Paths, args: PoliciesArgs) -> Result<Section> {
    let trace = paths.root.join(TRACE).display().to_string();
    let real: [&str; 2] = ["--trace", &trace];
    let loads = LOADS.into_iter().chain([(REAL, real.as_slice())]);
    let mut written = serde_json::Map::new();
    let mut text = String::new();
    let mut tell = |paragraph: String| {
        line(&paragraph);
        text += &paragraph;
    };
    for (name, load) in loads {
        let (mut played, mut all) = (Vec::new(), Vec::new());
        for seed in 1..=args.seeds {
            let (runs, json) = simulate(paths, seed, load, &["--policy", "all"]).await?;
            played.push(runs);
            all.push(json);
        }
        tell(format!("\n### {name}\n\n{}", table::of(&played)?));
        written.insert(name.to_owned(), all.into());
    }
    tell("\n### Headline runs, a cold fleet (drainSeconds 60)\n\n".to_owned());
    for (name, theirs, load) in HEADLINES {
        let (runs, json) = simulate(paths, 1, load, &[]).await?;
        let ours = runs.first().context("nothing was played")?;
        tell(format!("- {name}: all answered after {:.0} s (theirs: {theirs}), {} starts\n", ours.makespan, ours.starts));
        written.insert(name.to_owned(), json);
    }
    let folder = paths.dev.join("bench");
    write(&folder, &written)?;
    let picture = chart(paths, &folder.join("policies.svg")).await?;
    Ok(Section::of("policies", text.trim_start().to_owned(), Some((picture, PICTURED.0))))
}

/// What the chart shows, and how `simulate` is told.
const PICTURED: (&str, [&str; 4]) =
    ("A burst of 300: backlog and workers of ours, KEDA and target tracking", ["--burst", "300", "--policy", "keda,target-tracking"]);

async fn chart(paths: &Paths, file: &Path) -> Result<String> {
    let drawn = file.to_str().context("the checkout's path is no UTF-8")?;
    simulate(paths, 1, &PICTURED.1, &["--chart", drawn]).await?;
    std::fs::read_to_string(file).with_context(|| format!("cannot read {drawn}"))
}

async fn simulate(paths: &Paths, seed: u64, load: &[&str], more: &[&str]) -> Result<(Vec<Run>, serde_json::Value)> {
    let fleets = paths.root.join("dev/xtask/src/commands/bench/policies/fleets.yaml");
    let mut command = Command::new(paths.program("kubectl-fleet")?);
    command.args(["simulate", "--output", "json", "--seed", &seed.to_string(), "--file"]).arg(&fleets).args(load).args(more);
    let output = command.kill_on_drop(true).output().await.context("kubectl-fleet cannot be run")?;
    ensure!(output.status.success(), "kubectl fleet simulate {load:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let Simulation { runs } = serde_json::from_value(json.clone())?;
    Ok((runs, json))
}

fn write(folder: &Path, written: &serde_json::Map<String, serde_json::Value>) -> Result<()> {
    let file = folder.join("policies.json");
    std::fs::create_dir_all(folder)?;
    std::fs::write(&file, serde_json::to_string_pretty(written)? + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    line(format!("\nwritten: {}", file.display()));
    Ok(())
}
