//! A real node for the local Kubernetes: kubelet, kube-proxy and containerd on this machine, in network, mount and process namespaces of
//! their own. So links, routes, packet filters, mounts and containers end with the first process of the node, however that one ends.
//! Must not know what the pods are for.

mod cgroups;
mod image;
mod network;
mod settings;

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::Api;

pub(crate) use self::network::Network;

use crate::paths::Paths;
use crate::process::Command;
use crate::progress::Progress;
use crate::stack::{Kubernetes, Launcher, Part};
use crate::tools::{self, Packages, shell};
use crate::wait;

/// Its name in the cluster.
const NAME: &str = "node";
/// The image of the first process of each pod.
const PAUSE: &str = "localhost/pause:1";
/// File in a stack's folder `run` with the name of the node's cgroup.
const CGROUP: &str = "node-cgroup";
/// First process of the node.
const INIT: &str = "node";

/// The namespaces of a node, and the link to them.
#[derive(Debug)]
pub(crate) struct Node {
    tools: Packages,
    network: Network,
    /// The first process in them, as the machine counts.
    init: i32,
}

/// Whether this machine can have a node; the packages that it needs are fetched.
///
/// # Errors
/// When it cannot: what it lacks.
pub async fn is_possible(paths: &Paths, progress: Progress) -> Result<()> {
    ensure!(shell::is_root(), "a node needs root, to make namespaces and to mount");
    let mut unshare = tokio::process::Command::new("unshare");
    let output = unshare.args(["--net", "--mount", "--pid", "--fork", "true"]).output().await.context("unshare cannot be run")?;
    ensure!(output.status.success(), "a node needs namespaces of its own: {}", String::from_utf8_lossy(&output.stderr).trim());
    cgroups::are_writable()?;
    tools::node(paths, progress).await.map(drop)
}

/// Removes what outlives the processes of the node whose stack keeps its records in `run`.
pub(crate) fn clear(run: &Path) {
    if let Ok(name) = fs::read_to_string(run.join(CGROUP)) {
        cgroups::remove(&name);
    }
}

impl Node {
    /// Makes the namespaces and their link to the machine. Nothing runs in them yet but what keeps them.
    pub(crate) async fn create(launcher: &Launcher) -> Result<Self> {
        let tools = tools::node(&launcher.paths, launcher.progress).await?;
        let init = start_init(launcher).await?;
        let network = Network::connect(&tools, init).await?;
        fs::write(launcher.supervisor.run().join(CGROUP), network.name())?;
        cgroups::make(&network.name())?;
        Ok(Self { tools, network, init })
    }

    /// Who has which address.
    pub(crate) fn network(&self) -> Network {
        self.network
    }

    /// Makes it a node of `kubernetes`, and waits until it is ready.
    pub(crate) async fn join(&self, launcher: &Launcher, kubernetes: &Kubernetes) -> Result<()> {
        launcher.progress.say("node", "starting containerd and kubelet (about 10 s)");
        self.start_containerd(launcher).await?;
        self.import(launcher, PAUSE, &launcher.tools.kubernetes.join("pause")).await?;
        self.start_scheduler(launcher, kubernetes)?;
        self.start_proxy(launcher, kubernetes)?;
        self.start_kubelet(launcher, kubernetes).await?;
        launcher.progress.say("node", format!("ready; pods have addresses of {}", self.network.pods()));
        Ok(())
    }

    /// Makes an image of `program`, and gives it to containerd under the name `reference`.
    pub(crate) async fn import(&self, launcher: &Launcher, reference: &str, program: &Path) -> Result<()> {
        let archive = launcher.state("node")?.join("image.tar");
        image::write(reference, program, &archive).await.with_context(|| format!("the image {reference} cannot be made"))?;
        self.ctr(&["images", "import", &archive.display().to_string()]).await?;
        Ok(fs::remove_file(archive)?)
    }

    async fn start_containerd(&self, launcher: &Launcher) -> Result<()> {
        let state = launcher.state("node")?;
        fs::create_dir_all(state.join("networks"))?;
        fs::write(state.join("networks/pods.conflist"), settings::pod_network(self.network).to_string())?;
        let config = state.join("containerd.toml");
        fs::write(&config, settings::containerd(&self.tools, &state))?;
        let program = self.tools.program("containerd")?;
        let command = || self.inside("containerd", &program, [format!("--config={}", config.display())]);
        let ready = async || self.ctr(&["version"]).await.is_ok();
        launcher.start(Part { name: "containerd", ports: &[], limit: Duration::from_secs(60) }, command, ready).await.map(drop)
    }

    fn start_scheduler(&self, launcher: &Launcher, kubernetes: &Kubernetes) -> Result<()> {
        let args = [kubeconfig(kubernetes), "--leader-elect=false".to_owned(), "--secure-port=0".to_owned()];
        let scheduler = Command::new("kube-scheduler", launcher.tools.kubernetes.join("kube-scheduler")).args(args);
        launcher.supervisor.ensure(&scheduler).map(drop)
    }

    fn start_proxy(&self, launcher: &Launcher, kubernetes: &Kubernetes) -> Result<()> {
        let args = [
            kubeconfig(kubernetes),
            format!("--hostname-override={NAME}"),
            "--proxy-mode=nftables".to_owned(),
            format!("--cluster-cidr={}", self.network.pods()),
            // Limits of the whole machine: they are left as they are.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0".to_owned(),
        ];
        launcher.supervisor.ensure(&self.inside("kube-proxy", &launcher.tools.kubernetes.join("kube-proxy"), args)?).map(drop)
    }

    async fn start_kubelet(&self, launcher: &Launcher, kubernetes: &Kubernetes) -> Result<()> {
        let (state, config) = (launcher.state("node")?, launcher.state("node")?.join("kubelet.json"));
        let logs = launcher.supervisor.dir().join("pod-logs");
        fs::write(&config, settings::kubelet(self.network, &state, &logs).to_string())?;
        let args = [
            kubeconfig(kubernetes),
            format!("--config={}", config.display()),
            format!("--root-dir={}", state.join("kubelet").display()),
            format!("--hostname-override={NAME}"),
            format!("--node-ip={}", self.network.node()),
        ];
        let program = launcher.tools.kubernetes.join("kubelet");
        let command = || self.inside("kubelet", &program, args.clone());
        let nodes: Api<NodeObject> = Api::all(kubernetes.client().await?);
        let ready = async || nodes.get_opt(NAME).await.ok().flatten().is_some_and(|node| is_ready(&node));
        launcher.start(Part { name: "kubelet", ports: &[], limit: Duration::from_secs(180) }, command, ready).await.map(drop)
    }

    /// A program in the node's namespaces.
    fn inside(&self, name: &str, program: &Path, args: impl IntoIterator<Item = String>) -> Result<Command> {
        let enter =
            ["--target", &self.init.to_string(), "--net", "--mount", "--pid", "--", &program.display().to_string()].map(str::to_owned);
        Ok(Command::new(name, "nsenter").args(enter).args(args).env(self.tools.env()?))
    }

    async fn ctr(&self, args: &[&str]) -> Result<()> {
        let init = self.init.to_string();
        let mut command = tokio::process::Command::new("nsenter");
        command.args(["--target", &init, "--net", "--mount", "--pid", "--"]).arg(self.tools.program("ctr")?);
        command.args(["--address", settings::SOCKET, "--namespace", "k8s.io"]).args(args).envs(self.tools.env()?).kill_on_drop(true);
        let output = command.output().await.context("nsenter cannot be run")?;
        ensure!(output.status.success(), "ctr {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }
}

/// Starts the first process of the node's namespaces; all others in them end with it. Returns its id.
async fn start_init(launcher: &Launcher) -> Result<i32> {
    let state = launcher.state("node")?;
    let (script, told) = (state.join("init.sh"), state.join("init.pid"));
    fs::write(&script, include_str!("init.sh"))?;
    let pause = launcher.tools.kubernetes.join("pause");
    let args = ["--net", "--mount", "--pid", "--fork", "--kill-child", "sh"].map(str::to_owned);
    let rest = [&script, &told, &pause].map(|path| path.display().to_string());
    let command = || Ok(Command::new(INIT, "unshare").args(args.clone()).args(rest.clone()));
    let pid = || fs::read_to_string(&told).ok()?.trim().parse().ok();
    launcher.start(Part { name: INIT, ports: &[], limit: Duration::from_secs(30) }, command, async || pid().is_some()).await?;
    pid().with_context(|| format!("the node's first process did not start. {}", wait::tail(&launcher.supervisor.log(INIT))))
}

fn kubeconfig(kubernetes: &Kubernetes) -> String {
    format!("--kubeconfig={}", kubernetes.kubeconfig.display())
}

fn is_ready(node: &NodeObject) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
