//! The life of one pod: bound, started, probed, started again when it dies, ended when its pod is deleted.

use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, Pod};
use kube::api::{DeleteParams, PostParams, Preconditions};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::resolve::{self, Workload};
use super::status::{State, refusal, status, tell};
use super::watch::Machine;
use super::{NODE, address, identity, volumes};
use crate::process::{Command, Running};

/// How the records and logs of pods begin.
pub(super) const PREFIX: &str = "pod-";
/// A kubelet waits for 10 s to 5 minutes; a developer does not want to.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Running that long, a process is taken for sound, and its next death for its first.
const SOUND: Duration = Duration::from_secs(60);

/// Tells a pod's task to end: whether the pod is deleted with a grace period, or everything ends now.
#[derive(Debug, Clone)]
pub(super) struct Leave(watch::Sender<Option<Ending>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Deleted: end the process within this time, then let the pod go.
    Deleted(Option<Duration>),
    /// End the process; the pod is no concern any more.
    Now,
}

impl Default for Leave {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Leave {
    /// The pod has been deleted with this grace period in seconds.
    pub(super) fn deleted(&self, grace: Option<i64>) {
        let grace = grace.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        self.0.send_if_modified(|ending| ending.is_none() && ending.replace(Ending::Deleted(grace)).is_none());
    }

    /// Nobody waits for this pod.
    pub(super) fn now(&self) {
        self.0.send_replace(Some(Ending::Now));
    }

    fn already(&self) -> Option<Ending> {
        *self.0.borrow()
    }

    async fn asked(&self) -> Ending {
        let mut told = self.0.subscribe();
        loop {
            if let Some(ending) = *told.borrow_and_update() {
                return ending;
            }
            // The sender lives as long as self.
            let _ = told.changed().await;
        }
    }
}

/// Runs `pod` until it shall leave.
pub(super) async fn pod(machine: Arc<Machine>, pod: Pod, leave: Leave) {
    let name = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
    let life = Life { api: Api::namespaced(machine.client.clone(), &pod.namespace().unwrap_or_default()), machine, pod, leave };
    if let Err(error) = life.live().await {
        tracing::error!(pod = name, "{error:#}");
    }
}

struct Life {
    machine: Arc<Machine>,
    api: Api<Pod>,
    pod: Pod,
    leave: Leave,
}

impl Life {
    async fn live(&self) -> Result<()> {
        self.bind().await?;
        let ending = match self.prepare() {
            Ok((workload, address)) => self.keep_running(&workload, address).await?,
            Err(error) => {
                tracing::warn!(pod = self.pod.name_any(), "the pod cannot run as a process: {error:#}");
                self.refuse(&error).await?;
                self.leave.asked().await
            }
        };
        match ending {
            Ending::Deleted(_) => self.let_go().await,
            Ending::Now => Ok(()),
        }
    }

    /// Without a node, deleting a pod would remove it at once, its process still running.
    async fn bind(&self) -> Result<()> {
        if self.pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
            return Ok(());
        }
        let name = self.pod.name_any();
        let binding: Binding = serde_json::from_value(json!({"metadata": {"name": name}, "target": {"kind": "Node", "name": NODE}}))?;
        let bound: kube::Result<kube::core::Status> = self.api.create_subresource("binding", &name, &PostParams::default(), &binding).await;
        bound.map(drop).with_context(|| format!("pod {name} cannot be bound"))
    }

    fn prepare(&self) -> Result<(Workload, Ipv4Addr)> {
        let ports = resolve::ports(resolve::container(&self.pod)?);
        let stack = self.machine.supervisor.dir().display().to_string();
        let id = format!("{}/{}", self.pod.namespace().unwrap_or_default(), self.pod.name_any());
        let address = address::pick(&stack, &id, &ports).with_context(|| format!("no loopback address has ports {ports:?} free"))?;
        Ok((resolve::resolve(&self.pod, address, &self.machine.images)?, address))
    }

    async fn refuse(&self, error: &anyhow::Error) -> Result<()> {
        let container = self.pod.spec.as_ref().and_then(|spec| spec.containers.first()).context("the pod has no container")?;
        let image = container.image.as_deref().unwrap_or_default();
        Ok(tell(&self.api, &self.pod.name_any(), &refusal(&container.name, image, &format!("{error:#}"), Timestamp::now())).await?)
    }

    async fn keep_running(&self, workload: &Workload, address: Ipv4Addr) -> Result<Ending> {
        let mut back_off = BACK_OFF.0;
        for restarts in 0.. {
            if let Some(ending) = self.leave.already() {
                return Ok(ending);
            }
            let begun = Instant::now();
            let command = match self.command(workload).await {
                Ok(command) => command,
                Err(error) => {
                    // As a kubelet waits for a Secret that is not there yet.
                    tracing::warn!(pod = self.pod.name_any(), "the pod cannot be started yet: {error:#}");
                    match timeout(BACK_OFF.0, self.leave.asked()).await {
                        Ok(ending) => return Ok(ending),
                        Err(_) => continue,
                    }
                }
            };
            let running = self.machine.supervisor.start(&command)?;
            let exit = match self.watch_over(workload, address, restarts, running).await? {
                Outcome::Left(ending) => return Ok(ending),
                Outcome::Died(exit) => exit,
            };
            back_off = if begun.elapsed() > SOUND { BACK_OFF.0 } else { back_off };
            let message = format!("it ended with {exit}; it is started again in {} s", back_off.as_secs_f64());
            tracing::warn!(pod = self.pod.name_any(), log = %self.machine.supervisor.log(&self.name()).display(), "{message}");
            let dead = State::BackOff { exit_code: exit.code().or(exit.signal().map(|signal| 128 + signal)).unwrap_or(255), message };
            self.say(workload, address, restarts, &dead).await;
            if let Ok(ending) = timeout(back_off, self.leave.asked()).await {
                return Ok(ending);
            }
            back_off = (back_off * 2).min(BACK_OFF.1);
        }
        Err(anyhow!("restarts cannot be counted any more"))
    }

    /// Probes the process until it dies or shall leave.
    async fn watch_over(&self, workload: &Workload, address: Ipv4Addr, restarts: i32, mut running: Running) -> Result<Outcome> {
        let since = Timestamp::now();
        let mut ready = workload.readiness.is_none();
        self.say(workload, address, restarts, &State::Running { since, ready }).await;
        let mut failed = 0;
        let mut pause = workload.readiness.as_ref().map_or(Duration::MAX, |check| check.delay);
        loop {
            tokio::select! {
                exit = &mut running.exit => return Ok(Outcome::Died(exit.context("how the process ended is unknown")?)),
                ending = self.leave.asked() => {
                    self.end_process(ending, workload).await?;
                    return Ok(Outcome::Left(ending));
                }
                () = sleep(pause) => {}
            }
            let Some(check) = &workload.readiness else { continue };
            failed = if check.passes(&self.machine.http).await { 0 } else { failed + 1 };
            if check.stays_ready(ready, failed) != ready {
                ready = !ready;
                self.say(workload, address, restarts, &State::Running { since, ready }).await;
            }
            // While it is not ready, somebody waits for it.
            pause = if ready { check.period } else { check.period.min(Duration::from_millis(200)) };
        }
    }

    async fn end_process(&self, ending: Ending, workload: &Workload) -> Result<()> {
        let grace = match ending {
            Ending::Deleted(grace) => grace.unwrap_or(workload.grace),
            Ending::Now => workload.grace,
        };
        let (supervisor, name) = (self.machine.supervisor.clone(), self.name());
        Ok(tokio::task::spawn_blocking(move || supervisor.end(&name, grace)).await?)
    }

    /// Tells the API server that nothing of the pod runs any more, so that it is gone.
    async fn let_go(&self) -> Result<()> {
        let uid = Preconditions { uid: self.pod.uid(), resource_version: None };
        let now = DeleteParams { grace_period_seconds: Some(0), preconditions: Some(uid), ..DeleteParams::default() };
        match self.api.delete(&self.pod.name_any(), &now).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(error).context("the pod has ended and cannot be removed"),
        }
    }

    async fn say(&self, workload: &Workload, address: Ipv4Addr, restarts: i32, state: &State) {
        let status = status(workload, address, restarts, state, Timestamp::now());
        if let Err(error) = tell(&self.api, &self.pod.name_any(), &status).await {
            tracing::warn!(pod = self.pod.name_any(), %error, "the pod's status cannot be told");
        }
    }

    /// As its image would be started by a kubelet, with the identities that a pod gets from its service account.
    async fn command(&self, workload: &Workload) -> Result<Command> {
        let folder = self.machine.supervisor.dir().join("state").join(self.name());
        std::fs::create_dir_all(&folder)?;
        let stack = self.machine.supervisor.dir().join("kubeconfig");
        let kubeconfig = identity::kubeconfig(&self.machine.client, &stack, &self.pod, &folder).await?;
        let identity = kubeconfig.map(|path| ("KUBECONFIG", path.display().to_string()));
        let placed = volumes::lay_out(&self.machine.client, &self.pod, &workload.mounts, &folder).await?;
        let command = Command::new(&self.name(), &workload.program).args(workload.args.iter().cloned()).folder(folder);
        let command = command.env(crate::stack::CREDENTIALS).env([("HOSTNAME", self.pod.name_any())]).env(identity);
        Ok(command.env(workload.env.iter().map(|(name, value)| (name.clone(), volumes::relocated(value, &placed)))))
    }

    fn name(&self) -> String {
        format!("{PREFIX}{}-{}", self.pod.namespace().unwrap_or_default(), self.pod.name_any())
    }
}

/// How watching over a process ended.
enum Outcome {
    Died(ExitStatus),
    Left(Ending),
}
