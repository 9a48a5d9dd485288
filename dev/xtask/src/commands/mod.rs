//! What `cargo xtask` can be told to do.

mod bench;
mod build;
mod demo;
mod dist;
mod down;
mod fuzz;
mod kustomize;
mod lab;
mod model;
mod status;
mod test;
mod up;
mod verify;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::paths::Paths;
use crate::pods::PodsArgs;

/// ClassifierFleet on one machine: the whole system, the demo, the tests.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the whole system on this machine, or what is missing of it, and leaves it running.
    Up(up::UpArgs),
    /// Ends all that `up` started.
    Down,
    /// Tells what runs, the state of the fleets, and where the logs are.
    Status,
    /// Classifies 20 photos, from zero workers to zero workers.
    Demo(demo::DemoArgs),
    /// Measures the whole system next to what people would use instead.
    Bench(bench::BenchArgs),
    /// Builds a release: programs, images, chart, manifests, bills of materials, checksums; or some of it.
    #[command(long_about = dist::ABOUT)]
    Dist(dist::DistArgs),
    /// Fuzzes what reads bytes that others wrote.
    Fuzz(fuzz::FuzzArgs),
    /// Runs the operator in virtual time against faults of every class, and checks what it promises.
    Lab(lab::LabArgs),
    /// Makes the kustomize base from the Helm chart.
    Kustomize,
    /// Makes model folders of your own networks.
    Model(model::ModelArgs),
    /// Runs everything that must pass.
    Test(test::TestArgs),
    /// Checks launches in every order of faults, exhaustively: minutes.
    Verify,
    /// Runs pods as processes; `up` starts it.
    #[command(hide = true)]
    Pods(PodsArgs),
}

impl Cli {
    /// Does what the command line says.
    ///
    /// # Errors
    /// When that fails: what, where, and what to do.
    pub async fn run(self) -> Result<ExitCode> {
        let paths = Paths::discover()?;
        match self.command {
            Command::Up(args) => up::run(paths, args).await?,
            Command::Down => down::run(&paths).await?,
            Command::Status => status::run(&paths).await?,
            Command::Demo(args) => demo::run(paths, args).await?,
            Command::Bench(args) => bench::run(&paths, args).await?,
            Command::Dist(args) => dist::run(&paths, args).await?,
            Command::Fuzz(args) => fuzz::run(&paths, args).await?,
            Command::Lab(args) => lab::run(&paths, args).await?,
            Command::Kustomize => kustomize::run(&paths).await?,
            Command::Model(args) => model::run(&paths, args).await?,
            Command::Test(args) => return test::run(&paths, args).await,
            Command::Verify => verify::run(&paths).await?,
            Command::Pods(args) => crate::pods::serve(args).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
