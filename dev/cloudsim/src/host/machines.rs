//! Owns the machines that are switched on, and performs the cloud's effects on them in order. Decides no states.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{error, info};

use super::guest::{Guest, Plan};
use super::imds::MetadataServer;
use super::{Options, Shared};
use crate::state::{Boot, Effect};

/// What the machines are told.
#[derive(Debug)]
pub(super) enum Command {
    /// An effect of the cloud.
    Perform(Effect),
    /// End everything, then say so. Nothing is performed after that.
    EndAll(oneshot::Sender<()>),
}

/// A machine that is switched on; its guest may idle.
struct Machine {
    metadata: MetadataServer,
    guest: Option<Guest>,
}

impl Machine {
    async fn end(self, grace: Duration) {
        if let Some(guest) = self.guest {
            guest.end(grace).await;
        }
        self.metadata.stop().await;
    }
}

/// All machines of one cloudsim.
pub(super) struct Machines {
    options: Options,
    endpoint_url: String,
    shared: Arc<Shared>,
    on: HashMap<String, Machine>,
    ending: JoinSet<()>,
}

impl Machines {
    pub(super) fn new(options: Options, endpoint_url: String, shared: Arc<Shared>) -> Self {
        Self { options, endpoint_url, shared, on: HashMap::new(), ending: JoinSet::new() }
    }

    /// Performs commands until all is to end.
    pub(super) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Perform(Effect::Boot(boot)) => self.boot(boot).await,
                Command::Perform(Effect::Shutdown { instance_id, force }) => self.shut_down(instance_id, force),
                Command::EndAll(done) => {
                    self.end_all().await;
                    let _ = done.send(());
                    return;
                }
            }
            while self.ending.try_join_next().is_some() {}
        }
    }

    async fn boot(&mut self, boot: Boot) {
        let id = boot.instance_id.clone();
        let metadata = match MetadataServer::start(&id, self.shared.clone()).await {
            Ok(metadata) => metadata,
            Err(error) => return error!(instance = id, %error, "no metadata service, the machine stays off"),
        };
        self.shared.metadata_urls().insert(id.clone(), metadata.url.clone());
        let guest = match Guest::boot(&self.plan(&boot, &metadata)).await {
            Ok(guest) => guest,
            Err(error) => {
                error!(instance = id, %error, "the guest did not start, the machine idles");
                None
            }
        };
        info!(instance = id, metadata = metadata.url, guest = guest.is_some(), "machine is on");
        self.on.insert(id, Machine { metadata, guest });
    }

    fn plan(&self, boot: &Boot, metadata: &MetadataServer) -> Plan {
        let runs_user_data = boot.first || self.options.user_data_every_boot;
        Plan {
            instance_id: boot.instance_id.clone(),
            folder: self.options.state_dir.join(&boot.instance_id),
            image_dir: self.options.images.get(&boot.image_id).cloned().unwrap_or_else(|| PathBuf::from("/nonexistent")),
            user_data: boot.user_data.clone().filter(|_| runs_user_data),
            metadata_url: metadata.url.clone(),
            program: self.options.program.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    fn shut_down(&mut self, id: String, force: bool) {
        let machine = self.on.remove(&id);
        let grace = if force { Duration::ZERO } else { self.options.shutdown_grace };
        let shared = self.shared.clone();
        self.ending.spawn(async move {
            if let Some(machine) = machine {
                machine.end(grace).await;
            }
            shared.metadata_urls().remove(&id);
            shared.act(|endpoint, now| (endpoint.cloud.guest_ended(&id, now), Vec::new()));
            info!(instance = id, "machine is off");
        });
    }

    async fn end_all(&mut self) {
        for (_, machine) in self.on.drain() {
            self.ending.spawn(machine.end(self.options.shutdown_grace));
        }
        while self.ending.join_next().await.is_some() {}
    }
}
