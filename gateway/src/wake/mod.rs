//! Tells the operator of images that wait, in a Lease that it watches: the first upload after quiet wakes it before the
//! image is even in S3. The operator polls the queue all the same, so that a Lease that cannot be written costs seconds,
//! never an upload.

mod due;
mod lease;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::due::{Next, State};
use self::lease::{Identity, MANAGER};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::waiting::{Ids, Tally, Waiting};

/// How long the API server may take for one write: what it says would be old afterwards.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the operator was not told.
#[derive(Debug, thiserror::Error)]
enum WakeError {
    #[error("there is no Kubernetes to speak to ({0}); the pod needs its service account's token, or KUBECONFIG")]
    Client(#[source] kube::Error),
    #[error("the API server says no ({code}): {message}")]
    Refused { code: u16, message: String },
    #[error("the gateway's service account may not write it: {0}; its role must allow get and patch on leases")]
    Forbidden(String),
    #[error("the API server cannot be reached: {0}")]
    Call(#[source] kube::Error),
    #[error("the API server did not answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// Keeps the Lease of this replica while it runs.
#[derive(Debug)]
pub(crate) struct Wake {
    identity: Option<Identity>,
    waiting: watch::Receiver<Ids>,
    metrics: Metrics,
}

impl Wake {
    pub(crate) fn new(settings: &Settings, waiting: &Waiting, metrics: Metrics) -> Self {
        Self { identity: Identity::new(settings), waiting: waiting.watch(), metrics }
    }

    /// Tells until `stop`. What still waits then is believed until the Lease expires.
    pub(crate) async fn run(self, stop: CancellationToken) {
        match self.identity {
            Some(identity) => {
                let teller = Teller { identity, leases: None, state: State::default(), metrics: self.metrics };
                stop.run_until_cancelled(teller.run(self.waiting)).await;
            }
            None => {
                tracing::info!("CLASSIFIERFLEET_WAKE_LEASE is not set: the operator hears of uploads from the queue alone");
                stop.cancelled().await;
            }
        }
    }
}

struct Teller {
    identity: Identity,
    leases: Option<Api<Lease>>,
    state: State,
    metrics: Metrics,
}

impl Teller {
    async fn run(mut self, mut waiting: watch::Receiver<Ids>) {
        // Before there is anything to tell, so that the first image does not wait for it.
        if let Err(error) = self.leases().await {
            self.missed(&error);
        }
        loop {
            let tally = Tally::of(&waiting.borrow_and_update());
            match self.state.next(tally, Instant::now()) {
                Next::Write(tally) => self.tell(tally).await,
                Next::At(at) => drop(tokio::time::timeout_at(at, waiting.changed()).await),
                // An error would mean that nobody uploads any more: the core, which outlives this task, has the sender.
                Next::Rest => drop(waiting.changed().await),
            }
        }
    }

    async fn tell(&mut self, tally: Tally) {
        match self.write(tally).await {
            Ok(()) => {
                self.metrics.wake_writes.inc();
                tracing::debug!(lease = self.identity.name, waiting = tally.images, "the operator was told");
                let failures = self.state.written(tally, Instant::now());
                if failures > 0 {
                    tracing::info!(lease = self.identity.name, failures, "the wake Lease can be written again");
                }
            }
            Err(error) => self.missed(&error),
        }
    }

    fn missed(&mut self, error: &WakeError) {
        self.metrics.wake_failures.inc();
        let (lease, namespace) = (&self.identity.name, &self.identity.namespace);
        if self.state.failed(Instant::now()) == 1 {
            tracing::warn!(lease, namespace, %error, "the wake Lease cannot be written, trying again; the operator hears of uploads later");
        } else {
            tracing::debug!(lease, namespace, %error, "the wake Lease still cannot be written");
        }
    }

    async fn write(&mut self, tally: Tally) -> Result<(), WakeError> {
        let leases = self.leases().await?;
        let (lease, how) = (self.identity.lease(tally, Timestamp::now()), PatchParams::apply(MANAGER).force());
        let patch = Patch::Apply(&lease);
        let patched = leases.patch(&self.identity.name, &how, &patch);
        match tokio::time::timeout(PATIENCE, patched).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(WakeError::Forbidden(status.message)),
            Ok(Err(kube::Error::Api(status))) => Err(WakeError::Refused { code: status.code, message: status.message }),
            Ok(Err(error)) => Err(WakeError::Call(error)),
            Err(_) => Err(WakeError::Late),
        }
    }

    async fn leases(&mut self) -> Result<Api<Lease>, WakeError> {
        if let Some(leases) = &self.leases {
            return Ok(leases.clone());
        }
        let client = Client::try_default().await.map_err(WakeError::Client)?;
        Ok(self.leases.insert(Api::namespaced(client, &self.identity.namespace)).clone())
    }
}
