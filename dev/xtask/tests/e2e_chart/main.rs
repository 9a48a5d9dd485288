//! The Helm chart on a real API server. Its operator's pods run as processes of this machine, each as its service account and nobody else,
//! in namespaces that enforce the Pod Security Standard `restricted`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod life;
mod objects;
mod rights;
#[path = "../support/mod.rs"]
mod support;

use cluster::Cluster;
use xtask::helm::Helm;
use xtask::paths::Paths;
use xtask::pods::ImageBinary;
use xtask::progress::Progress;
use xtask::stack::{Extent, Stack};

/// Where the chart is installed.
pub struct Stage {
    pub stack: Stack,
    pub cluster: Cluster,
    pub helm: Helm,
}

impl Stage {
    async fn raise(name: &str, extent: Extent) -> Self {
        let paths = Paths::discover().unwrap();
        let operator = ImageBinary::new("classifierfleet/operator", paths.bin.join("classifierfleet-operator"));
        let stack = Stack::for_test(name, |options| {
            options.extent = extent;
            options.images.push(operator);
        });
        let stack = stack.await.unwrap();
        let helm = Helm::ensure(&paths, Progress::quiet()).await.unwrap().with_kubeconfig(stack.kubeconfig());
        Self { cluster: Cluster::of(&stack).await, helm, stack }
    }

    /// A namespace in which only pods may run that need no privilege at all.
    pub async fn namespace(&self, name: &str) {
        self.stack.kubectl(&["create", "namespace", name]).await.unwrap();
        self.stack.kubectl(&["label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted"]).await.unwrap();
    }

    /// What kubectl reads at a JSONPath.
    pub async fn read(&self, what: &[&str], path: &str) -> String {
        let path = format!("jsonpath={path}");
        self.stack.kubectl(&[&["get"], what, &["--ignore-not-found", "-o", &path]].concat()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn kubernetes_takes_every_object() {
    let stage = Stage::raise("chart-objects", Extent::Kubernetes).await;
    objects::are_taken(&stage).await;
    stage.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn a_release_lives() {
    let stage = Stage::raise("chart", Extent::Aws).await;
    for namespace in [life::NAMESPACE, "photos", "team"] {
        stage.namespace(namespace).await;
    }
    life::install_of_an_older_chart(&stage).await;
    life::a_fleet_comes_to_be(&stage).await;
    rights::of_all_namespaces(&stage).await;
    life::upgrade(&stage).await;
    life::rollback(&stage).await;
    life::uninstall(&stage).await;
    life::one_namespace_alone(&stage).await;
    stage.stack.stop().await.unwrap();
}
