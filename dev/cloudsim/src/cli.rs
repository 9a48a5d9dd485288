//! Owns the command line. Starts nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cloudsim::host::Options;
use cloudsim::state::{Settings, Simulation};
use jiff::SignedDuration;

/// An EC2 over HTTP for the real AWS SDK, whose instances run their user data as local processes.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Verb>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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

/// What instances run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Guests {
    /// Their user data, as processes.
    Process,
    /// Nothing: cloudsim plays a worker that registers and drains. Ten thousand are cheap.
    Simulated,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File that the URL is written to once requests are taken.
    #[arg(long)]
    pub(crate) port_file: Option<PathBuf>,
    /// From launch or start to `running`: `1s`, `500ms`, or a number of seconds.
    #[arg(long, default_value = "1s", value_parser = seconds)]
    pending_delay: Duration,
    /// From `running` to the start of the user data.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    boot_delay: Duration,
    /// By which part of itself a boot delay is longer or shorter at most, 0 to 1.
    #[arg(long, default_value_t = 0.0, value_parser = fraction)]
    boot_jitter: f64,
    /// By how much DescribeInstances and DescribeTags trail what happens to instances.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    describe_lag: Duration,
    /// How long each answer of EC2 is held back.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    latency: Duration,
    /// From SIGTERM to SIGKILL when an instance stops or is terminated.
    #[arg(long, default_value = "2s", value_parser = seconds)]
    shutdown_grace: Duration,
    /// How long a terminated instance stays visible.
    #[arg(long, default_value = "3600s", value_parser = seconds)]
    terminated_visible: Duration,
    /// Folder with one folder per instance: its working directory, console.log and pgid.
    #[arg(long, default_value = "cloudsim-state")]
    state_dir: PathBuf,
    /// A known image, and the folder that its instances have in front of PATH: `ami-0123456789abcdef0=/dir`. Simulated
    /// guests need no folder. Repeatable.
    #[arg(long = "image", value_parser = image)]
    images: Vec<(String, PathBuf)>,
    /// A Systems Manager parameter that names an image, for `resolve:ssm:/path`: `/path=ami-…`. Repeatable.
    #[arg(long = "parameter", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Run user data at every boot. Real images run it at the first boot only, but what it installed (a systemd unit)
    /// starts at every boot; guests here have no disk, so running it again stands for that.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    user_data_every_boot: bool,
    /// What instances run.
    #[arg(long, value_enum, default_value = "process")]
    guests: Guests,
    /// From seeing that it shall drain to the power-off of a simulated guest.
    #[arg(long, default_value = "0s", value_parser = seconds)]
    guest_drain_seconds: Duration,
    /// An image, or the start of its id, whose simulated guests never register. Repeatable.
    #[arg(long = "broken-image")]
    broken_images: Vec<String>,
    /// The region.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Throttle requests by EC2's documented token buckets: RequestLimitExceeded when one is empty.
    #[arg(long)]
    throttle: bool,
    /// Seed of all ids and of what is random; by default a new one each time.
    #[arg(long)]
    seed: Option<u64>,
}

impl Serve {
    fn simulation(&self) -> anyhow::Result<Option<Simulation>> {
        if self.guests == Guests::Process {
            let idle = self.broken_images.is_empty() && self.guest_drain_seconds.is_zero();
            anyhow::ensure!(idle, "--broken-image and --guest-drain-seconds are for --guests=simulated");
            return Ok(None);
        }
        Ok(Some(Simulation {
            drain_delay: SignedDuration::try_from(self.guest_drain_seconds)?,
            broken_images: self.broken_images.iter().cloned().collect(),
            ..Simulation::default()
        }))
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        Ok(Settings {
            region: self.region.clone(),
            parameters: self.parameters.iter().cloned().collect(),
            loopback_addresses: self.guests == Guests::Process,
            pending_delay: SignedDuration::try_from(self.pending_delay)?,
            boot_delay: SignedDuration::try_from(self.boot_delay)?,
            boot_jitter: self.boot_jitter,
            describe_lag: SignedDuration::try_from(self.describe_lag)?,
            terminated_visible: SignedDuration::try_from(self.terminated_visible)?,
            throttle: self.throttle,
            simulation: self.simulation()?,
            seed: self.seed.unwrap_or_else(rand::random),
            ..Settings::default()
        })
    }
}

impl TryFrom<Serve> for Options {
    type Error = anyhow::Error;

    fn try_from(serve: Serve) -> anyhow::Result<Self> {
        let settings = serve.settings()?;
        let images: BTreeMap<String, PathBuf> = serve.images.into_iter().collect();
        Ok(Self {
            listen: serve.listen,
            state_dir: serve.state_dir,
            images,
            settings,
            latency: serve.latency,
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

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| format!("'{text}' is no number from 0 to 1"))
}

fn image(text: &str) -> Result<(String, PathBuf), String> {
    let Some((id, folder)) = text.split_once('=') else {
        return Ok((text.to_owned(), PathBuf::from("/nonexistent")));
    };
    let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
    Ok((id.to_owned(), folder))
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, image) = text.split_once('=').ok_or("expected /path=ami-…")?;
    Ok((name.to_owned(), image.to_owned()))
}
