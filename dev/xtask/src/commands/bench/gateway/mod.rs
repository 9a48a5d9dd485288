//! `cargo xtask bench gateway`: uploads in, labels out, with workers that answer at once. Owns what is measured and in which order.

mod answerers;
mod contender;
mod found;
mod load;

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;

use self::answerers::Answerers;
use self::contender::Contender;
use self::found::{Figure, Figures, PEER, Round, caption, measures};
use self::load::Load;
use super::fleet::{Fleet, MANIFEST};
use super::section::Section;
use super::usage::Group;
use crate::paths::Paths;
use crate::photos;
use crate::progress::Progress;
use crate::stack::{Stack, StackOptions, Storage};
use crate::tools;

pub(super) const ABOUT: &str = "\
Uploads in, labels out: our gateway and a plain one (Flask, boto3, gunicorn; the same S3 put, SQS send and reply queue) on the same
SQS and S3 (roto, the quickest stand-in), with workers that answer at once, so that the gateway is what is measured. k6 uploads a
photo as multipart on 10, 100 and 1,000 connections, and each answer must be the right one.

Shows answers a second, p50, p99, errors, CPU time for each upload, calls to AWS for each upload, and memory. Prints medians with
the least and the most of all rounds, and writes bench/gateway.json in the folder of the local stack (.dev).";

/// Clients at once, each with a connection of its own.
const CONNECTIONS: [u32; 3] = [10, 100, 1000];
/// Before anything is measured: connections to AWS, code pages, threads.
const WARM_UP_SECONDS: u32 = 3;
const MEMORY_IS_READ_EVERY: Duration = Duration::from_millis(200);

/// How much to measure.
#[derive(Debug, Args)]
pub(super) struct GatewayArgs {
    /// Rounds, each with both gateways.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Seconds of each load; a gateway gets three in a round.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=300))]
    seconds: u32,
    /// The gateway to measure, such as `cargo build --release --bin classifierfleet-gateway` makes; default: the one that the tests
    /// run, whose SDKs are not optimised.
    #[arg(long)]
    gateway: Option<PathBuf>,
}

/// All that a round needs.
struct Bench<'a> {
    load: Load<'a>,
    emulator: Group,
    seconds: u32,
    progress: Progress,
}

pub(super) async fn run(paths: &Paths, args: GatewayArgs) -> Result<Section> {
    let progress = Progress::printed();
    let k6 = tools::k6(paths, progress).await?;
    let canonical = |path: &PathBuf| path.canonicalize().with_context(|| format!("there is no gateway at {}", path.display()));
    let program = args.gateway.as_ref().map(canonical).transpose()?;
    let adapt = |options: &mut StackOptions| {
        options.storage = Storage::Roto;
        options.fleet = MANIFEST.into();
        options.gateway = program;
    };
    // Answers may take a minute each before they are errors.
    let limit = Duration::from_secs(300) + Duration::from_secs(u64::from(args.rounds) * 6 * (u64::from(args.seconds) + 90));
    let measure = async |stack: &Stack| {
        let photo = photos::load(&stack.tools().photos)?.into_iter().min_by_key(|photo| photo.bytes.len()).context("no photo")?;
        let load = Load::new(stack, k6, stack.tools().photos.join(&photo.name));
        // The one process of the stack's SQS and S3.
        let bench = Bench { load, emulator: Group::of(stack.supervisor(), "roto")?, seconds: args.seconds, progress };
        Ok((bench.rounds(stack, args.rounds).await?, photo.bytes.len()))
    };
    let (rounds, bytes) = super::on_private_stack(paths, progress, limit, adapt, measure).await?;
    let measures = measures(&rounds)?;
    Section::tell(paths, "gateway", &caption(rounds.len(), args.seconds, bytes), &measures)
}

impl Bench<'_> {
    async fn rounds(&self, stack: &Stack, count: u32) -> Result<Vec<Round>> {
        // Nothing but the gateways shall take jobs and time.
        Fleet::of(stack).await?.limit(0, 0).await?;
        let mut answerers = Answerers::start(stack).await?;
        let measured = async {
            let (ours, python) = (Contender::ours(stack)?, Contender::python(stack).await?);
            let idle = [self.idle(&ours).await?, self.idle(&python).await?];
            let mut rounds = Vec::new();
            for number in 1..=count {
                self.progress.say("bench", format!("round {number} of {count}"));
                let ours = self.figures("ours", &ours, idle[0], number).await?;
                rounds.push(Round { ours, peer: self.figures(PEER, &python, idle[1], number).await? });
            }
            Ok(rounds)
        };
        tokio::select! {
            rounds = measured => rounds,
            error = answerers.failed() => Err(error),
        }
    }

    /// Memory of a gateway that has answered ten at a time, and has nothing to do.
    async fn idle(&self, gateway: &Contender) -> Result<f64> {
        self.load.run(&gateway.url, CONNECTIONS[0], WARM_UP_SECONDS, "warm").await?;
        gateway.processes().memory()
    }

    async fn figures(&self, name: &str, gateway: &Contender, idle: f64, round: u32) -> Result<Figures> {
        let mut figures = Vec::new();
        for connections in CONNECTIONS {
            let figure = self.figure(gateway, connections, idle, round).await;
            let figure = figure.with_context(|| format!("measuring {name} with {connections} connections"))?;
            self.progress.say("bench", format!("{name}, {connections} connections: {figure}"));
            figures.push(figure);
        }
        Ok(std::array::from_fn(|place| figures[place]))
    }

    async fn figure(&self, gateway: &Contender, connections: u32, idle: f64, round: u32) -> Result<Figure> {
        let sample = async || anyhow::Ok((gateway.processes().cpu_seconds()?, self.emulator.cpu_seconds()?, gateway.calls().await?));
        let before = sample().await?;
        let run = format!("r{round}-c{connections}");
        let (mut load, mut peak) = (pin!(self.load.run(&gateway.url, connections, self.seconds, &run)), 0.0_f64);
        let seen = loop {
            peak = peak.max(gateway.processes().memory()?);
            if let Ok(seen) = tokio::time::timeout(MEMORY_IS_READ_EVERY, &mut load).await {
                break seen?;
            }
        };
        let after = sample().await?;
        let per_upload = |before: f64, after: f64| (after - before) / (seen.right + seen.errors);
        Ok(Figure {
            cpu_ms: per_upload(before.0, after.0) * 1e3,
            emulator_cpu_ms: per_upload(before.1, after.1) * 1e3,
            calls: per_upload(before.2, after.2),
            seen,
            peak,
            idle,
        })
    }
}
