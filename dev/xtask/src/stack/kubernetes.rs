//! A real Kubernetes: etcd, kube-apiserver and kube-controller-manager on this machine; or the user's own. Nodes join it from elsewhere.

use std::fs;
use std::net::SocketAddrV4;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::environment::CREDENTIALS;
use super::launch::{Launcher, Part};
use crate::node::Network;
use crate::pods::ImageBinary;
use crate::process::Command;

/// Controllers that wait for nodes, or clean up after nodes that are gone, would take our pods for orphans.
/// Endpoints cannot hold loopback addresses.
const WITHOUT_NODES: &str = "*,-node-lifecycle-controller,-taint-eviction-controller,-node-ipam-controller,-node-route-controller,\
    -cloud-node-lifecycle-controller,-service-lb-controller,-pod-garbage-collector-controller,-persistentvolume-attach-detach-controller,\
    -endpoints-controller,-endpointslice-controller,-endpointslice-mirroring-controller";

/// How to reach the API server.
#[derive(Debug, Clone)]
pub struct Kubernetes {
    /// The file that clients find server and credentials in.
    pub kubeconfig: PathBuf,
    kubectl: PathBuf,
}

impl Kubernetes {
    /// The cluster that the kubeconfig at `kubeconfig` names.
    pub(super) fn new(launcher: &Launcher) -> Self {
        let kubeconfig = launcher.supervisor.dir().join("kubeconfig");
        Self { kubeconfig, kubectl: launcher.tools.kubernetes.join("kubectl") }
    }

    /// A client with all rights.
    ///
    /// # Errors
    /// When the kubeconfig cannot be read.
    pub async fn client(&self) -> Result<Client> {
        client(&self.kubeconfig).await
    }

    /// Runs kubectl with `args` and returns what it prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub async fn kubectl<S: AsRef<str>>(&self, args: &[S]) -> Result<String> {
        let args: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let mut command = tokio::process::Command::new(&self.kubectl);
        let output = command.arg("--kubeconfig").arg(&self.kubeconfig).args(&args).kill_on_drop(true).output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kubectl {}: {}", args.join(" "), said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Whether pods have nowhere to run but on this machine, as processes.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn has_no_nodes(&self) -> Result<bool> {
        let nodes: Api<Node> = Api::all(self.client().await?);
        Ok(nodes.list(&ListParams::default().limit(1)).await.context("the nodes of the cluster cannot be listed")?.items.is_empty())
    }
}

/// A client for the cluster that `kubeconfig` names.
///
/// # Errors
/// When the file cannot be read or holds no cluster.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    Ok(Client::try_from(config(kubeconfig).await?)?)
}

/// Server and credentials that `kubeconfig` names.
pub(super) async fn config(kubeconfig: &Path) -> Result<Config> {
    let file = Kubeconfig::read_from(kubeconfig)?;
    Ok(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?)
}

/// Starts the local Kubernetes, for a node in `network` or for none; or takes the user's `context`.
pub(super) async fn start(launcher: &Launcher, context: Option<&str>, network: Option<Network>) -> Result<Kubernetes> {
    let kubernetes = Kubernetes::new(launcher);
    if let Some(context) = context {
        take_context(&kubernetes, context).await?;
        launcher.progress.say("kubernetes", format!("context {context} of your kubeconfig"));
        return Ok(kubernetes);
    }
    let folder = launcher.state("kubernetes")?;
    let token = secrets(launcher, &folder).await?;
    start_etcd(launcher, &folder).await?;
    start_api_server(launcher, &kubernetes, &folder, &token, network).await?;
    start_controllers(launcher, &kubernetes, &folder, network).await?;
    launcher.progress.say("kubernetes", format!("ready at https://{}", launcher.listen("kube-apiserver")?));
    Ok(kubernetes)
}

/// Copies one context of the user's kubeconfig, so that no later change of the current one leads us astray.
async fn take_context(kubernetes: &Kubernetes, context: &str) -> Result<()> {
    let args = ["config", "view", "--raw", "--minify", "--flatten", "--context", context];
    let output = tokio::process::Command::new(&kubernetes.kubectl).args(args).output().await?;
    if !output.status.success() {
        bail!("context {context:?} cannot be used: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    write_secret(&kubernetes.kubeconfig, &output.stdout)
}

/// The key that signs service account tokens, and the token of the administrator, which is returned.
async fn secrets(launcher: &Launcher, folder: &Path) -> Result<String> {
    let (key, tokens) = (folder.join("service-account.key"), folder.join("tokens.csv"));
    if !key.exists() {
        let made = tokio::process::Command::new(launcher.tools.kubernetes.join("signing-key")).arg(&key).status().await?;
        ensure!(made.success(), "no signing key could be written to {}", key.display());
    }
    if !tokens.exists() {
        write_secret(&tokens, format!("{},admin,admin,system:masters\n", uuid::Uuid::new_v4().simple()).as_bytes())?;
    }
    let text = fs::read_to_string(&tokens)?;
    Ok(text.split(',').next().unwrap_or_default().to_owned())
}

async fn start_etcd(launcher: &Launcher, folder: &Path) -> Result<()> {
    launcher.progress.say("kubernetes", "starting etcd and kube-apiserver (about 3 s)");
    let command = || {
        let (clients, peers) = (launcher.url("etcd")?, launcher.url("etcd-peers")?);
        let args = [
            format!("--data-dir={}", folder.join("etcd-data").display()),
            format!("--listen-client-urls={clients}"),
            format!("--advertise-client-urls={clients}"),
            format!("--listen-peer-urls={peers}"),
            format!("--initial-advertise-peer-urls={peers}"),
            format!("--initial-cluster=local={peers}"),
            "--name=local".to_owned(),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        Ok(Command::new("etcd", launcher.tools.kubernetes.join("etcd")).args(args).url(clients))
    };
    let ready = async || match launcher.url("etcd") {
        Ok(url) => crate::wait::answers(&launcher.http, &format!("{url}/health")).await,
        Err(_) => false,
    };
    let part = Part { name: "etcd", ports: &["etcd", "etcd-peers"], limit: Duration::from_secs(60) };
    launcher.start(part, command, ready).await.map(drop)
}

async fn start_api_server(
    launcher: &Launcher,
    kubernetes: &Kubernetes,
    folder: &Path,
    token: &str,
    network: Option<Network>,
) -> Result<()> {
    let certificates = folder.join("certificates");
    let key = folder.join("service-account.key");
    let command = || {
        let address = launcher.listen("kube-apiserver")?;
        write_secret(&kubernetes.kubeconfig, kubeconfig(address, &certificates, token).as_bytes())?;
        let args = [
            format!("--etcd-servers={}", launcher.url("etcd")?),
            format!("--secure-port={}", address.port()),
            format!("--bind-address={}", address.ip()),
            format!("--cert-dir={}", certificates.display()),
            format!("--service-account-key-file={}", key.display()),
            format!("--service-account-signing-key-file={}", key.display()),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={}", folder.join("tokens.csv").display()),
            "--profiling=false".to_owned(),
        ];
        let server = Command::new("kube-apiserver", launcher.tools.kubernetes.join("kube-apiserver"));
        Ok(server.args(args).args(seen_by_pods(network)).url(format!("https://{address}")))
    };
    let ready = async || kubernetes.kubectl(&["get", "--raw", "/readyz"]).await.is_ok();
    let part = Part { name: "kube-apiserver", ports: &["kube-apiserver"], limit: Duration::from_secs(120) };
    launcher.start(part, command, ready).await.map(drop)
}

/// How the API server is known in the cluster.
fn seen_by_pods(network: Option<Network>) -> Vec<String> {
    match network {
        Some(network) => vec![
            format!("--advertise-address={}", network.host()),
            format!("--service-cluster-ip-range={}", network.services()),
            // Nobody but us knows the node's name.
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
        ],
        None => vec![
            // Of a network for documentation: an API server must not advertise loopback, and nobody asks.
            "--advertise-address=192.0.2.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        ],
    }
}

async fn start_controllers(launcher: &Launcher, kubernetes: &Kubernetes, folder: &Path, network: Option<Network>) -> Result<()> {
    let controllers = if network.is_some() { "*" } else { WITHOUT_NODES };
    let command = || {
        let args = [
            format!("--kubeconfig={}", kubernetes.kubeconfig.display()),
            format!("--service-account-private-key-file={}", folder.join("service-account.key").display()),
            format!("--root-ca-file={}", folder.join("certificates/apiserver.crt").display()),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            // It would make the usual one, at the root of the machine.
            format!("--flex-volume-plugin-dir={}", folder.join("volume-plugins").display()),
            // No port: its state shows in what it does.
            "--secure-port=0".to_owned(),
            format!("--controllers={controllers}"),
        ];
        let program = launcher.tools.kubernetes.join("kube-controller-manager");
        Ok(Command::new("kube-controller-manager", program).args(args))
    };
    // Pods are refused until their service account is there.
    let ready = async || has_service_account(&kubernetes.kubeconfig).await.unwrap_or(false);
    let part = Part { name: "kube-controller-manager", ports: &[], limit: Duration::from_secs(60) };
    launcher.start(part, command, ready).await.map(drop)
}

async fn has_service_account(kubeconfig: &Path) -> Result<bool> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client(kubeconfig).await?, "default");
    Ok(accounts.get_opt("default").await?.is_some())
}

/// Starts what plays the kubelet: pods of our operator as processes of this machine.
pub(super) fn start_pods(launcher: &Launcher, kubernetes: &Kubernetes, images: &[ImageBinary]) -> Result<()> {
    let mut args = vec!["pods".to_owned(), "--kubeconfig".to_owned(), kubernetes.kubeconfig.display().to_string()];
    args.extend(["--dir".to_owned(), launcher.supervisor.dir().display().to_string()]);
    for image in images {
        args.extend(["--image-binary".to_owned(), image.to_string()]);
    }
    launcher.supervisor.ensure(&launcher.program("pods", "xtask")?.args(args).env(CREDENTIALS))?;
    Ok(())
}

fn kubeconfig(address: SocketAddrV4, certificates: &Path, token: &str) -> String {
    let authority = certificates.join("apiserver.crt");
    let config = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "classifierfleet",
        "clusters": [{"name": "local", "cluster": {"server": format!("https://{address}"), "certificate-authority": authority}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "classifierfleet", "context": {"cluster": "local", "user": "admin", "namespace": "default"}}],
    });
    format!("{config:#}\n")
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(file: &Path, content: &[u8]) -> Result<()> {
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o600))?)
}
