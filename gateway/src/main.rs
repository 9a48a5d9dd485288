//! The program: settings, logs and signals. What the gateway does is in the library.

use clap::Parser;
use gateway::{Gateway, Settings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use service::logs::LogArgs;
use service::traces::{self, Source, Traces};

/// Takes images over HTTP, queues them for the workers of one fleet and answers with their labels.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    logs: LogArgs,
}

/// musl's own allocator costs CPU time, and holds twice the memory with a thousand slow uploads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads for what blocks: files and names. More would only queue at the disk, and each takes memory.
const BLOCKING_THREADS: usize = 4;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let _traces = start(&arguments)?;
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    runtime.block_on(run(arguments))
}

fn start(Arguments { settings, logs }: &Arguments) -> anyhow::Result<Traces> {
    let pod = settings.pod_name.as_deref().map(|pod| ("k8s.pod.name", pod));
    let fleet = [("k8s.namespace.name", settings.namespace.as_str()), ("classifierfleet.fleet", settings.fleet.as_str())];
    let attributes: Vec<_> = fleet.into_iter().chain(pod).collect();
    traces::start(logs, &Source { program: "classifierfleet-gateway", version: env!("CARGO_PKG_VERSION"), attributes: &attributes })
}

/// As many as the system lets this process have: connections and spooled images are files, and shells allow 1,024.
fn allow_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    let aws = service::aws::config("classifierfleet-gateway", &service::aws::Place::default()).await;
    Gateway::bind(arguments.settings, &aws, shutdown).await?.run().await?;
    Ok(())
}
