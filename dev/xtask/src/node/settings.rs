//! What the programs of a node are told in files. Pure. What they would write elsewhere on the machine is led into the node's own folders.

use std::path::Path;

use serde_json::{Value, json};

use super::PAUSE;
use super::network::Network;
use crate::tools::Packages;

/// Where containerd listens, inside.
pub(super) const SOCKET: &str = "/run/containerd.sock";

/// For containerd: where it keeps images, in `state`, and where network plugins and their configuration lie.
pub(super) fn containerd(tools: &Packages, state: &Path) -> String {
    let folder = |name: &str| state.join(name).display().to_string();
    format!(
        r#"version = 2
root = {root:?}
state = "/run/containerd"
[grpc]
  address = {SOCKET:?}
[plugins."io.containerd.internal.v1.opt"]
  path = {opt:?}
[plugins."io.containerd.grpc.v1.cri"]
  # Where root may not make a process less likely to be killed for memory (no CAP_SYS_RESOURCE), pods would not start otherwise.
  restrict_oom_score_adj = true
  sandbox_image = {PAUSE:?}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = {plugins:?}
    conf_dir = {networks:?}
"#,
        root = folder("containerd"),
        opt = folder("opt"),
        plugins = tools.path("usr/lib/cni").display().to_string(),
        networks = folder("networks"),
    )
}

/// For network plugins: a pair of links for each pod. Pods and machine reach each other by their own addresses.
pub(super) fn pod_network(network: Network) -> Value {
    let addresses = json!({
        "type": "host-local", "dataDir": "/run/pod-addresses", "ranges": [[{"subnet": network.pods()}]], "routes": [{"dst": "0.0.0.0/0"}],
    });
    json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false, "ipam": addresses}]})
}

/// For kubelet. Pods' logs go to `logs`, their cgroups below that of the node.
pub(super) fn kubelet(network: Network, state: &Path, logs: &Path) -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "address": network.node().to_string(),
        // Nobody but this machine reaches it.
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", network.name()),
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "volumePluginDir": state.join("volume-plugins"),
        "podLogsDir": logs,
        // There is no cluster DNS: pods are given addresses.
        "resolvConf": "",
        // The machine has other work, which may fill it.
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
        "makeIPTablesUtilChains": false,
    })
}
