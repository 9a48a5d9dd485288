//! The `cloudsim` program: command line, logging, signals. All else is the library's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use cloudsim::host::{Host, Options, poweroff};
use cloudsim::state::Settings;
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};

/// An EC2 over HTTP for the real AWS SDK, whose instances run their user data as local processes.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says that a guest shuts its operating system down. Called by the guest's own `poweroff`.
    Poweroff {
        /// The instance's id.
        #[arg(long)]
        instance: String,
        /// The URL of the cloudsim that runs it.
        #[arg(long)]
        endpoint: String,
    },
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File that the URL is written to once requests are taken.
    #[arg(long)]
    port_file: Option<PathBuf>,
    /// From launch or start to `running`: `1s`, `500ms`, or a number of seconds.
    #[arg(long, default_value = "1s", value_parser = seconds)]
    pending_delay: Duration,
    /// From `running` to the start of the user data.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    boot_delay: Duration,
    /// By how much DescribeInstances trails launches.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    describe_lag: Duration,
    /// From SIGTERM to SIGKILL when an instance stops or is terminated.
    #[arg(long, default_value = "2s", value_parser = seconds)]
    shutdown_grace: Duration,
    /// Folder with one folder per instance: its working directory, console.log and pgid.
    #[arg(long, default_value = "cloudsim-state")]
    state_dir: PathBuf,
    /// A known image and the folder that its instances have in front of PATH: `ami-0123456789abcdef0=/dir`. Repeatable.
    #[arg(long = "image", value_parser = image)]
    images: Vec<(String, PathBuf)>,
    /// Run user data at every boot. Real images run it at the first boot only, but what it installed (a systemd unit)
    /// starts at every boot; guests here have no disk, so running it again stands for that.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    user_data_every_boot: bool,
    /// The region.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Throttle requests by EC2's documented token buckets: RequestLimitExceeded when one is empty.
    #[arg(long)]
    throttle: bool,
    /// Seed of all ids; by default a new one each time.
    #[arg(long)]
    seed: Option<u64>,
}

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

impl TryFrom<Serve> for Options {
    type Error = anyhow::Error;

    fn try_from(serve: Serve) -> anyhow::Result<Self> {
        let images: BTreeMap<String, PathBuf> = serve.images.into_iter().collect();
        Ok(Self {
            listen: serve.listen,
            state_dir: serve.state_dir,
            images,
            settings: Settings {
                region: serve.region,
                pending_delay: SignedDuration::try_from(serve.pending_delay)?,
                boot_delay: SignedDuration::try_from(serve.boot_delay)?,
                describe_lag: SignedDuration::try_from(serve.describe_lag)?,
                throttle: serve.throttle,
                seed: serve.seed.unwrap_or_else(rand::random),
                ..Settings::default()
            },
            shutdown_grace: serve.shutdown_grace,
            user_data_every_boot: serve.user_data_every_boot,
            program: std::env::current_exe().context("cannot tell where this program is")?,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit_seconds) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 0.001),
        (None, Some(number)) => (number, 1.0),
        (None, None) => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| format!("'{text}' is not like 1s, 500ms or 0.5"))?;
    Duration::try_from_secs_f64(number * unit_seconds).map_err(|error| error.to_string())
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    let (id, folder) = text.split_once('=').ok_or("expected ami-…=/folder")?;
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    Ok((id.to_owned(), folder))
}
