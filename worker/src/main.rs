//! The program: settings, logs, signals, the monitor, and the exit code. Leaving because it was asked to is exit code 0,
//! on which the instance powers itself off; anything else is a failure.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use service::monitor::Readiness;
use service::traces::{self, Source, Traces};
use service::{logs, shutdown};
use worker::run::run;
use worker::settings::Settings;
use worker::{isolated, monitor};

fn main() -> ExitCode {
    let settings = Settings::parse();
    let _traces = match start(&settings) {
        Ok(traces) => traces,
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::from(2);
        }
    };
    match live(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the worker failed");
            ExitCode::FAILURE
        }
    }
}

/// None for the process of one image: its worker has the span of it.
fn start(settings: &Settings) -> anyhow::Result<Option<Traces>> {
    if settings.isolated {
        return logs::init(&settings.logs).map(|()| None);
    }
    let attributes = [
        ("k8s.namespace.name", settings.namespace.as_str()),
        ("classifierfleet.fleet", &settings.fleet),
        ("classifierfleet.revision", &settings.revision),
    ];
    traces::start(
        &settings.logs,
        &Source { program: "classifierfleet-worker", version: env!("CARGO_PKG_VERSION"), attributes: &attributes },
    )
    .map(Some)
}

/// musl's own gives large tensors back to the kernel after each image, and has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Cores for whose images one thread of input and output is enough: both take about 1 ms of CPU time an image, decoding and
/// inference more than ten. More threads than needed wake each other up all the time.
const CORES_PER_IO_THREAD: usize = 8;

fn live(settings: &Settings) -> anyhow::Result<()> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(CORES_PER_IO_THREAD);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    runtime.context("no threads can be had")?.block_on(work(settings))
}

async fn work(settings: &Settings) -> anyhow::Result<()> {
    let drain = shutdown::on_signal().context("signals cannot be handled")?;
    if settings.isolated {
        // What asks the worker to stop reaches this process, too; the image is classified nevertheless.
        return Ok(isolated::run(settings).await?);
    }
    let (registry, readiness) = (prometheus::Registry::new(), Readiness::default());
    let monitor = async {
        if let Some(listen) = settings.monitor_listen {
            monitor::serve(listen, registry.clone(), readiness.clone(), drain.clone()).await;
        }
        anyhow::Ok(())
    };
    let work = async { run(settings, &registry, &readiness, &drain).await.map_err(anyhow::Error::from) };
    tokio::try_join!(work, monitor).map(drop)
}
