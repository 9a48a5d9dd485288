//! The CRD, the example fleet and the address of its gateway.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;

use super::kubernetes::Kubernetes;
use super::launch::Launcher;
use crate::pods::is_ready;
use crate::wait;

/// What to know when pods run on nodes of the user's own cluster.
pub(super) const ON_REAL_NODES: &str = "your cluster has nodes, so it runs the gateway itself. It needs the image that the StatefulSet names, \
    and pods that reach the AWS endpoints in env (which are on this machine's loopback). \
    Then: kubectl port-forward service/imagenet-gateway 8080:80";

/// A fleet in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Makes the API server know what a fleet is.
pub(super) async fn define(launcher: &Launcher, kubernetes: &Kubernetes) -> Result<()> {
    let crd = launcher.paths.root.join("crds/classifierfleet.yaml").display().to_string();
    kubernetes.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &crd]).await?;
    kubernetes.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &crd]).await?;
    Ok(())
}

/// The URI of the model of the fleet in `file`, a path in the checkout.
pub(super) async fn model_uri(launcher: &Launcher, kubernetes: &Kubernetes, file: &Path) -> Result<String> {
    let file = launcher.paths.root.join(file).display().to_string();
    kubernetes.kubectl(&["create", "--dry-run=client", "-f", &file, "-o", "jsonpath={.spec.model.uri}"]).await
}

/// Applies the fleet in `file`, a path in the checkout.
pub(super) async fn apply(launcher: &Launcher, kubernetes: &Kubernetes, file: &Path) -> Result<FleetRef> {
    let file = launcher.paths.root.join(file).display().to_string();
    let output = "jsonpath={.metadata.namespace} {.metadata.name}";
    let applied = kubernetes.kubectl(&["apply", "-f", &file, "-o", output]).await?;
    let Some((namespace, name)) = applied.trim().split_once(' ') else { bail!("{file} must hold one fleet, kubectl applied: {applied}") };
    launcher.progress.say("fleet", format!("{name} applied, from {file}"));
    Ok(FleetRef { namespace: namespace.to_owned(), name: name.to_owned() })
}

/// Waits until the first replica of the fleet's gateway is ready, and says where it listens.
pub(super) async fn gateway_url(launcher: &Launcher, kubernetes: &Kubernetes, fleet: &FleetRef) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(kubernetes.client().await?, &fleet.namespace);
    let name = format!("{}-gateway-0", fleet.name);
    let log = launcher.supervisor.log("operator");
    let what = format!("pod {name} becomes ready (its log, if it was started: {})", launcher.supervisor.log("pods").display());
    let ready = async || matches!(pods.get_opt(&name).await, Ok(Some(pod)) if is_ready(&pod));
    wait::until(&what, Duration::from_secs(90), &log, ready).await?;
    let pod = pods.get(&name).await?;
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).context("the pod has no address")?;
    let port = http_port(&pod).with_context(|| format!("pod {name} has no container port called http"))?;
    let url = format!("http://{address}:{port}");
    launcher.progress.say("gateway", format!("ready at {url}"));
    Ok(url)
}

fn http_port(pod: &Pod) -> Option<i32> {
    let ports = pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.ports.iter().flatten());
    ports.into_iter().find(|port| port.name.as_deref() == Some("http")).map(|port| port.container_port)
}
