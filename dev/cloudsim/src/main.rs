//! The `cloudsim` program: logging, signals. The command line is `cli`'s, all else is the library's.

mod cli;

use std::path::Path;

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Verb};
use cloudsim::host::{Host, poweroff};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if let Some(Verb::Poweroff { instance, endpoint }) = cli.command {
        return poweroff::tell(&endpoint, &instance).with_context(|| format!("no cloudsim at {endpoint}"));
    }
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    // Before the URL is known to anybody, so that no signal finds us unprepared.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let port_file = cli.serve.port_file.clone();
    let host = Host::start(cli.serve.try_into()?).await?;
    tracing::info!(url = host.url, "cloudsim takes requests");
    if let Some(path) = port_file {
        publish(&path, &host.url)?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    host.shutdown().await;
    Ok(())
}

/// The file appears whole or not at all.
fn publish(path: &Path, url: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, url).with_context(|| format!("cannot write {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("cannot write {}", path.display()))
}
