//! The program: settings, logs and signals. What the gateway does is in the library.

use clap::Parser;
use gateway::{Gateway, Settings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use service::logs::{self, LogArgs};

/// Takes images over HTTP, queues them for the workers of one fleet and answers with their labels.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    logs: LogArgs,
}

/// Threads for what blocks: files and names. More would only queue at the disk, and each takes memory.
const BLOCKING_THREADS: usize = 4;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    logs::init(&arguments.logs)?;
    allow_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    runtime.block_on(run(arguments))
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
