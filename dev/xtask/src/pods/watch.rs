//! Which pods there are: one task for each, told when its pod shall end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::image::ImageBinary;
use super::run::{self, Leave};
use crate::process::Supervisor;

/// What all pods share.
pub(super) struct Machine {
    pub(super) client: Client,
    pub(super) supervisor: Supervisor,
    pub(super) images: Vec<ImageBinary>,
    pub(super) http: reqwest::Client,
}

/// The tasks of the pods, by uid.
struct Tasks {
    machine: Arc<Machine>,
    leave: BTreeMap<String, Leave>,
    running: JoinSet<()>,
}

/// Runs pods until `shutdown`, then ends their processes and leaves the pods as they are.
pub(super) async fn serve(kubeconfig: &Path, dir: &Path, images: Vec<ImageBinary>, shutdown: CancellationToken) -> Result<()> {
    let client = crate::stack::client(kubeconfig).await?;
    let http = reqwest::Client::builder().build()?;
    let supervisor = Supervisor::new(dir)?;
    end_orphans(&supervisor).await?;
    let machine = Arc::new(Machine { client: client.clone(), supervisor, images, http });
    let mut tasks = Tasks { machine, leave: BTreeMap::new(), running: JoinSet::new() };
    let config = watcher::Config::default().labels(super::SELECTOR);
    let mut events = std::pin::pin!(watcher(Api::<Pod>::all(client), config).default_backoff());
    let mut listed = BTreeSet::new();
    loop {
        let event = tokio::select! {
            event = events.try_next() => event,
            () = shutdown.cancelled() => break,
        };
        match event {
            Ok(Some(event)) => tasks.take(event, &mut listed),
            Ok(None) => break,
            Err(error) => tracing::warn!(%error, "the pods cannot be watched, trying again"),
        }
    }
    tasks.end().await;
    Ok(())
}

/// Ends what a predecessor left when it was killed.
async fn end_orphans(supervisor: &Supervisor) -> Result<()> {
    let supervisor = supervisor.clone();
    let end = move || {
        for record in supervisor.records().iter().filter(|record| record.name.starts_with(run::PREFIX)) {
            supervisor.end(&record.name, std::time::Duration::from_secs(5));
        }
    };
    Ok(tokio::task::spawn_blocking(end).await?)
}

impl Tasks {
    fn take(&mut self, event: watcher::Event<Pod>, listed: &mut BTreeSet<String>) {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(pod) => {
                listed.extend(pod.uid());
                self.apply(pod);
            }
            watcher::Event::Apply(pod) => self.apply(pod),
            watcher::Event::Delete(pod) => self.forget(&pod.uid().unwrap_or_default()),
            watcher::Event::InitDone => {
                let gone: Vec<String> = self.leave.keys().filter(|uid| !listed.contains(*uid)).cloned().collect();
                gone.iter().for_each(|uid| self.forget(uid));
            }
        }
    }

    fn apply(&mut self, pod: Pod) {
        let Some(uid) = pod.uid() else { return };
        let leave = self.leave.entry(uid).or_insert_with(|| {
            let leave = Leave::default();
            self.running.spawn(run::pod(Arc::clone(&self.machine), pod.clone(), leave.clone()));
            leave
        });
        if pod.metadata.deletion_timestamp.is_some() {
            leave.deleted(pod.metadata.deletion_grace_period_seconds);
        }
    }

    /// The pod is gone already: its process follows, and nobody is told.
    fn forget(&mut self, uid: &str) {
        if let Some(leave) = self.leave.remove(uid) {
            leave.now();
        }
    }

    /// Ends all processes as quickly as they let us.
    async fn end(mut self) {
        self.leave.values().for_each(Leave::now);
        while self.running.join_next().await.is_some() {}
    }
}
