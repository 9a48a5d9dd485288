//! Owns the world around the pure endpoint: clock, timers, HTTP, metadata services, guests. Decides nothing about EC2.

mod admin;
mod guest;
mod imds;
mod machines;
pub mod poweroff;
mod quotas;
mod server;
mod user_data;
mod views;

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::endpoint::Endpoint;
use crate::state::{Effect, Settings};
use machines::{Command, Machines};

/// How long an HTTP server may take to let its connections go.
const SERVER_GRACE: Duration = Duration::from_secs(1);

/// What a cloudsim runs with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the EC2 and admin APIs listen.
    pub listen: SocketAddr,
    /// One folder per instance is made here.
    pub state_dir: PathBuf,
    /// Images by id; the folder goes in front of the guests' PATH.
    pub images: BTreeMap<String, PathBuf>,
    /// How the cloud behaves; those in `images` are among its images.
    pub settings: Settings,
    /// How long each answer of EC2 is held back.
    pub latency: Duration,
    /// From SIGTERM to SIGKILL for a guest's process group.
    pub shutdown_grace: Duration,
    /// Run user data at every boot. On a real image cloud-init runs it at the first boot only, but what it installs (our
    /// systemd unit) starts at every boot; a guest here has no disk to install into, so that running it again stands for that.
    pub user_data_every_boot: bool,
    /// The `cloudsim` program, which a guest's `poweroff` calls.
    pub program: PathBuf,
}

/// Why a cloudsim could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The guests' orphans cannot be had as children.
    #[error("cannot become the parent of orphaned processes")]
    Orphans(#[source] std::io::Error),
    /// The state folder cannot be made.
    #[error("cannot use the folder {}", folder.display())]
    StateDir {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A running cloudsim. Dropping it leaves its guests alone; call [`Host::shutdown`].
#[derive(Debug)]
pub struct Host {
    /// The endpoint for the SDK, such as `http://127.0.0.1:4567`.
    pub url: String,
    shared: Arc<Shared>,
    stop_server: oneshot::Sender<()>,
    server: JoinHandle<()>,
    timer: JoinHandle<()>,
}

/// What the tasks of one cloudsim share.
#[derive(Debug)]
struct Shared {
    endpoint: Mutex<Endpoint>,
    commands: mpsc::UnboundedSender<Command>,
    timers_changed: Notify,
    /// The metadata service of each machine that is switched on.
    metadata_urls: Mutex<HashMap<String, String>>,
}

impl Host {
    /// Starts serving.
    ///
    /// # Errors
    /// [`StartError`]
    pub async fn start(mut options: Options) -> Result<Self, StartError> {
        let unusable = |source| StartError::StateDir { folder: options.state_dir.clone(), source };
        std::fs::create_dir_all(&options.state_dir).map_err(unusable)?;
        options.state_dir = options.state_dir.canonicalize().map_err(unusable)?;
        options.settings.images.extend(options.images.keys().cloned());

        guest::adopt_orphans().map_err(StartError::Orphans)?;

        let no_listener = |source| StartError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(no_listener)?;
        let url = format!("http://{}", listener.local_addr().map_err(no_listener)?);

        #[expect(clippy::disallowed_methods, reason = "an instance has at most one boot and one shutdown under way")]
        let (commands, received) = mpsc::unbounded_channel();
        let latency = options.latency;
        let shared = Arc::new(Shared {
            endpoint: Mutex::new(Endpoint::new(options.settings.clone())),
            commands,
            timers_changed: Notify::new(),
            metadata_urls: Mutex::default(),
        });
        tokio::spawn(Machines::new(options, url.clone(), shared.clone()).run(received));
        let timer = tokio::spawn(pass_time(shared.clone()));
        let (stop_server, stopped) = oneshot::channel();
        let server = tokio::spawn(server::serve(listener, shared.clone(), latency, stopped));
        Ok(Self { url, shared, stop_server, server, timer })
    }

    /// Stops serving, ends all guests' process groups and waits until nothing of them is left.
    pub async fn shutdown(self) {
        let Self { url: _, shared, stop_server, server, timer } = self;
        timer.abort();
        let _ = stop_server.send(());
        let abort = server.abort_handle();
        if tokio::time::timeout(SERVER_GRACE, server).await.is_err() {
            abort.abort();
        }
        let (done, all_ended) = oneshot::channel();
        if shared.commands.send(Command::EndAll(done)).is_ok() {
            let _ = all_ended.await;
        }
    }
}

impl Shared {
    /// Lets `act` change the endpoint, and hands on what that leads to. Commands are sent under the lock, so that they
    /// come in the order of the changes.
    fn act<T>(&self, act: impl FnOnce(&mut Endpoint, Timestamp) -> (T, Vec<Effect>)) -> T {
        let mut endpoint = self.lock();
        let now = Timestamp::now();
        let mut effects = endpoint.cloud.tick(now);
        let (result, more) = act(&mut endpoint, now);
        effects.extend(more);
        for effect in effects {
            // Nobody listens any more only while all is being shut down.
            let _ = self.commands.send(Command::Perform(effect));
        }
        self.timers_changed.notify_one();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn metadata_urls(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.metadata_urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ticks the cloud whenever something is due.
async fn pass_time(shared: Arc<Shared>) {
    loop {
        let due = shared.lock().cloud.next_due();
        let wait = async {
            match due {
                Some(at) => tokio::time::sleep(at.duration_since(Timestamp::now()).try_into().unwrap_or_default()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = wait => shared.act(|_, _| ((), Vec::new())),
            () = shared.timers_changed.notified() => {}
        }
    }
}
