//! A replica's life: bind, become ready, serve, drain, end. Knows the parts and their order, not what they do.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use service::calls::CallCounter;
use service::monitor::{self, Readiness};
use service::traces::aws::CallSpans;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::aws::{AwsError, Queue, Store};
use crate::core::Core;
use crate::http::{Access, Server, Tls};
use crate::jobs::{self, SendLoop};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::wake::Wake;
use crate::{fleet, http, replies};

/// What answers may still need to leave once all that waited were told to.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Connections that the system may keep until they are taken, as far as it lets us. When a burst of 1,000 meets fewer, Linux
/// resets some of them in the middle of their uploads.
const BACKLOG: u32 = 4096;

/// Pauses between tries to reach AWS at start, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address for uploads is taken or not this machine's.
    #[error("cannot listen on {address} for uploads; set CLASSIFIERFLEET_LISTEN to an address that is free")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The certificate or its key.
    #[error("there can be no TLS: {0}; CLASSIFIERFLEET_TLS_DIR must name a folder with tls.crt and tls.key, in PEM")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder for images that memory has no room for.
    #[error("{} takes no files; set CLASSIFIERFLEET_SPOOL_DIR to a folder that does", .folder.display())]
    Spool {
        /// The folder.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The port for health and metrics.
    #[error("{0:#}")]
    Monitor(anyhow::Error),
    /// The metrics could not be made.
    #[error("the metrics could not be registered")]
    Metrics(#[from] prometheus::Error),
}

/// Why the gateway ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A task that must run for ever came to its end.
    #[error("{0} ended, without which the gateway is of no use")]
    Ended(&'static str),
    /// A task panicked.
    #[error("a task of the gateway died")]
    Died(#[from] JoinError),
}

/// A replica that listens and is not served yet.
pub struct Gateway {
    address: SocketAddr,
    monitor_address: SocketAddr,
    core: Arc<Core>,
    readiness: Readiness,
    shutdown: CancellationToken,
    /// Ends the taking of connections.
    closing: CancellationToken,
    /// Ends all that serves the server.
    stop: CancellationToken,
    server: JoinSet<&'static str>,
    helpers: JoinSet<&'static str>,
}

impl Gateway {
    /// Binds both ports and starts all tasks; ready once the queues and buckets were reached.
    ///
    /// # Errors
    /// [`StartError`] when a port cannot be had.
    pub async fn bind(settings: Settings, aws: &SdkConfig, shutdown: CancellationToken) -> Result<Self, StartError> {
        let door = Door::new(&settings, &shutdown)?;
        let address = door.server.listener.local_addr().map_err(|source| StartError::Listen { address: settings.listen, source })?;
        let closing = door.server.closing.clone();
        let (metrics, registry) = Metrics::new(&settings.namespace, &settings.fleet)?;
        let (readiness, stop) = (Readiness::default(), CancellationToken::new());
        let monitor = monitor::bind(settings.monitor_listen, registry, readiness.clone(), stop.clone());
        let (monitor_address, monitor) = monitor.await.map_err(StartError::Monitor)?;
        tracing::info!(namespace = settings.namespace, fleet = settings.fleet, %address, %monitor_address, "listening");

        let parts = Parts::new(settings, aws, metrics);
        let core = Arc::clone(&parts.core);
        core.room.check().map_err(|(folder, source)| StartError::Spool { folder, source })?;
        let (mut helpers, mut server) = (JoinSet::new(), JoinSet::new());
        spawn(&mut helpers, "the monitor", monitor);
        parts.start(&mut helpers, &readiness, &shutdown, &stop);
        door.open(&core, &mut server, &mut helpers, &stop);
        Ok(Self { address, monitor_address, core, readiness, shutdown, closing, stop, server, helpers })
    }

    /// Where uploads are taken: the port is known even when 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health and metrics are served.
    #[must_use]
    pub fn monitor_address(&self) -> SocketAddr {
        self.monitor_address
    }

    /// Serves until the shutdown given to [`Self::bind`], then drains.
    ///
    /// # Errors
    /// [`RunError`] when a task ends that must not.
    pub async fn run(mut self) -> Result<(), RunError> {
        let ended = tokio::select! {
            // The server ends by the same token.
            biased;
            () = self.shutdown.cancelled() => None,
            Some(ended) = self.helpers.join_next() => Some(ended),
            Some(ended) = self.server.join_next() => Some(ended),
        };
        if let Some(ended) = ended {
            return Err(RunError::Ended(ended?));
        }
        self.drain().await
    }

    /// Uploads may wait a while longer, are then told where their result will be, and only then the rest stops.
    async fn drain(mut self) -> Result<(), RunError> {
        self.readiness.set(false);
        // Those who have not heard of it yet still come here.
        tokio::time::sleep(self.core.settings.transport.shutdown_delay()).await;
        // They never end by themselves, and their clients find another replica.
        self.core.events.close();
        self.closing.cancel();
        let patience = self.core.settings.drain_timeout();
        tracing::info!(pending = self.core.metrics.pending.get(), patience_seconds = patience.as_secs(), "draining");
        if finished(patience, self.server.join_next()).await.is_none() {
            self.core.leaving.cancel();
            if finished(LAST_ANSWERS, self.server.join_next()).await.is_none() {
                tracing::warn!("some clients do not take their answers, leaving without");
                self.server.abort_all();
            }
        }
        self.core.leaving.cancel();
        self.core.tasks.close();
        finished(LAST_ANSWERS, self.core.tasks.wait()).await;
        self.stop.cancel();
        while let Some(ended) = self.helpers.join_next().await {
            ended?;
        }
        tracing::info!("drained");
        Ok(())
    }
}

/// The port for uploads, and what is looked at there.
struct Door {
    server: Server,
    access: Access,
}

impl Door {
    fn new(settings: &Settings, shutdown: &CancellationToken) -> Result<Self, StartError> {
        let (listener, transport) = (listen(settings.listen)?, settings.transport.clone());
        let tls = transport.tls_dir.as_deref().map(Tls::new).transpose().map_err(|error| StartError::Tls(error.into()))?;
        let access = Access::new(transport.token_file.clone());
        let server = Server { listener, settings: transport, tls, leaving: shutdown.clone(), closing: CancellationToken::new() };
        Ok(Self { server, access })
    }

    fn open(self, core: &Arc<Core>, server: &mut JoinSet<&'static str>, helpers: &mut JoinSet<&'static str>, stop: &CancellationToken) {
        spawn(helpers, "the watch of the token", until(stop.clone(), self.access.clone().follow()));
        if let Some(tls) = &self.server.tls {
            spawn(helpers, "the watch of the certificate", until(stop.clone(), tls.clone().follow()));
        }
        spawn(server, "the server", http::serve(Arc::clone(core), self.server, self.access));
    }
}

/// Queues and stores, and what must run for them to work.
struct Parts {
    core: Arc<Core>,
    requests: Queue,
    replies: Queue,
    send_loop: SendLoop,
    wake: Wake,
}

impl Parts {
    fn new(settings: Settings, aws: &SdkConfig, metrics: Metrics) -> Self {
        let counter = CallCounter(metrics.aws_calls.clone());
        let s3 = aws_sdk_s3::config::Builder::from(aws).interceptor(counter.clone()).interceptor(CallSpans).build();
        let sqs = aws_sdk_sqs::config::Builder::from(aws).interceptor(counter).interceptor(CallSpans).build();
        let (s3, sqs) = (aws_sdk_s3::Client::from_conf(s3), aws_sdk_sqs::Client::from_conf(sqs));
        let requests = Queue::new(sqs.clone(), settings.request_queue.clone());
        let replies = Queue::new(sqs, settings.reply_queue.clone());
        let store = Store::new(s3, settings.input_bucket.clone(), settings.output_bucket.clone());
        let (sender, send_loop) = jobs::sender(requests.clone(), settings.max_message_bytes as usize);
        let core = Arc::new(Core::new(settings, store, sender, metrics.clone()));
        let wake = Wake::new(&core.settings, &core.waiting, metrics);
        Self { core, requests, replies, send_loop, wake }
    }

    fn start(self, tasks: &mut JoinSet<&'static str>, readiness: &Readiness, shutdown: &CancellationToken, stop: &CancellationToken) {
        let Self { core, requests, replies, send_loop, wake } = self;
        let (readiness, shutdown, until, queues) = (readiness.clone(), shutdown.clone(), stop.clone(), [requests, replies.clone()]);
        spawn(tasks, "the sender of jobs", send_loop.run(stop.clone()));
        spawn(tasks, "the wake of the operator", wake.run(stop.clone()));
        spawn(tasks, "the watch of the fleet", fleet::tell(Arc::clone(&core), stop.clone()));
        let reached = CancellationToken::new();
        let receiver = replies::run(replies, core.registry.clone(), core.events.clone(), stop.clone());
        spawn(tasks, "the receiver of answers", after(reached.clone(), stop.clone(), receiver));
        spawn(tasks, "the check of readiness", async move {
            tokio::select! {
                () = reach(&core.store, &queues) => {
                    reached.cancel();
                    readiness.set(!shutdown.is_cancelled());
                    until.cancelled().await;
                }
                () = until.cancelled() => {}
            }
        });
    }
}

/// Returns once both buckets and all queues were reached.
async fn reach(store: &Store, queues: &[Queue]) {
    let mut pause = FIRST_PAUSE;
    while let Err(error) = check(store, queues).await {
        tracing::warn!(%error, pause_seconds = pause.as_secs_f64(), "not ready yet, trying again");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    tracing::info!("queues and buckets were reached, ready");
}

async fn check(store: &Store, queues: &[Queue]) -> Result<(), AwsError> {
    for queue in queues {
        queue.url().await?;
    }
    store.check().await
}

/// A task that would go on for ever.
async fn until(stop: CancellationToken, task: impl Future<Output = ()>) {
    stop.run_until_cancelled(task).await;
}

/// A task that begins with an event: what waits for AWS says so once, not in every task.
async fn after(event: CancellationToken, stop: CancellationToken, task: impl Future<Output = ()>) {
    tokio::select! {
        () = event.cancelled() => task.await,
        () = stop.cancelled() => {}
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| StartError::Listen { address, source })
}

fn spawn(tasks: &mut JoinSet<&'static str>, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tasks.spawn(async move {
        task.await;
        name
    });
}

async fn finished<T>(within: Duration, task: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(within, task).await.ok()
}
