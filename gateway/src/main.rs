//! The program: settings, logs and signals. What the gateway does is in the library.

use clap::Parser;
use gateway::{Gateway, Settings};
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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    logs::init(&arguments.logs)?;
    let shutdown = service::shutdown::on_signal()?;
    let aws = service::aws::config("classifierfleet-gateway", &service::aws::Place::default()).await;
    Gateway::bind(arguments.settings, &aws, shutdown).await?.run().await?;
    Ok(())
}
