//! What the local stack and the tests need and cargo does not bring: Kubernetes, Python tools, the model, the photos.
//! Each is made once, into a folder named by a hash of what it is made from.

mod browser;
pub(crate) mod cross;
mod debian;
pub(crate) mod fuzzer;
mod go;
mod keyed;
mod kubernetes;
mod model;
mod photos;
mod prometheus;
mod python;
pub(crate) mod shell;

use std::path::{Path, PathBuf};

use anyhow::Result;
use tokio::process::Command;

pub use self::browser::Browser;
pub(crate) use self::debian::Packages;
pub use self::prometheus::Prometheus;
use crate::paths::Paths;
use crate::progress::Progress;

/// The virtual environment alone: all that making and checking a model needs.
///
/// # Errors
/// When it cannot be made: what failed, and where its log is.
pub async fn python(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    python::ensure(paths, progress).await
}

/// Chromium and what drives it, for what only a browser can show.
///
/// # Errors
/// When one of them cannot be had: what to install.
pub async fn browser(paths: &Paths, progress: Progress) -> Result<Browser> {
    browser::ensure(paths, progress).await
}

/// k6, the load client of benchmarks.
///
/// # Errors
/// When it cannot be built: where its log is.
pub(crate) async fn k6(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    go::program(paths, "go.k6.io/k6", "v1.8.1", progress).await
}

/// Prometheus and promtool.
///
/// # Errors
/// When they cannot be had: what to install.
pub async fn prometheus(paths: &Paths, progress: Progress) -> Result<Prometheus> {
    prometheus::ensure(paths, progress).await
}

/// ONNX Runtime's library in the virtual environment, for the worker's engine onnxruntime.
///
/// # Errors
/// When the virtual environment is damaged.
pub fn onnxruntime(python: &Path) -> Result<PathBuf> {
    model::onnxruntime(python)
}

/// Helm, built from its Go module.
///
/// # Errors
/// When it cannot be built: where its log is.
pub async fn helm(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    go::program(paths, "helm.sh/helm/v3/cmd/helm", "v3.22.0", progress).await
}

/// The OpenTelemetry Collector, built from its Go modules.
///
/// # Errors
/// When it cannot be built: where its log is.
pub async fn collector(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    go::own(paths, "collector", progress).await
}

/// What a node needs besides Kubernetes: a container runtime, network plugins, what sets networks up.
///
/// # Errors
/// When it cannot be had: what is missing, and where its log is.
pub(crate) async fn node(paths: &Paths, progress: Progress) -> Result<Packages> {
    let packages = ["containerd", "runc", "containernetworking-plugins", "nftables", "iproute2"];
    debian::ensure(paths, "node", &packages, progress).await
}

/// Skopeo, which reads and copies container images without an engine, as a command.
///
/// # Errors
/// When it cannot be had: what is missing, and where its log is.
pub async fn skopeo(paths: &Paths, progress: Progress) -> Result<Command> {
    let packages = debian::ensure(paths, "skopeo", &["skopeo"], progress).await?;
    let mut skopeo = Command::new(packages.program("skopeo")?);
    skopeo.envs(packages.env()?).kill_on_drop(true);
    Ok(skopeo)
}

/// The programs of Kubernetes alone, `kubectl` among them.
///
/// # Errors
/// When they cannot be built: where the log is.
pub(crate) async fn kubernetes(paths: &Paths, progress: Progress) -> Result<PathBuf> {
    kubernetes::ensure(paths, progress).await
}

/// Makes what single tests need besides, for what is built while tests run makes these late. Returns why the rest cannot be had here:
/// the tests that need it are left out or fail.
pub(crate) async fn of_single_tests(paths: &Paths, progress: Progress) -> Vec<anyhow::Error> {
    // One after another: compilers take all processors, and package managers have locks.
    let outcomes = [
        helm(paths, progress).await.err(),
        collector(paths, progress).await.err(),
        prometheus(paths, progress).await.err(),
        browser(paths, progress).await.err(),
        skopeo(paths, progress).await.err(),
        node(paths, progress).await.err(),
    ];
    outcomes.into_iter().flatten().collect()
}

/// The folder with CycloneDX's schemas (`bom-1.6.schema.json`).
///
/// # Errors
/// When its Go module cannot be downloaded.
pub async fn cyclonedx_schemas(paths: &Paths) -> Result<PathBuf> {
    Ok(go::module(&paths.root, "github.com/CycloneDX/cyclonedx-go", "v0.9.3").await?.join("schema"))
}

/// The folder with the CRDs of the Prometheus operator (`monitoring.coreos.com_<plural>.yaml`).
///
/// # Errors
/// When its Go module cannot be downloaded.
pub async fn prometheus_operator_crds(paths: &Paths) -> Result<PathBuf> {
    let module = go::module(&paths.root, "github.com/prometheus-operator/prometheus-operator", "v0.85.0").await?;
    Ok(module.join("example/prometheus-operator-crd"))
}

/// Where the tools are.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Folder with `etcd`, `kube-apiserver`, `kubelet` and the other programs of Kubernetes, `kubectl`, `signing-key`, `pause`.
    pub kubernetes: PathBuf,
    /// The virtual environment with MiniStack, moto and onnxruntime.
    pub python: PathBuf,
    /// The folder of the default model.
    pub model: PathBuf,
    /// The folder with the 20 photos of known class.
    pub photos: PathBuf,
}

impl Tools {
    /// Makes what is missing, all at the same time where possible; a second run finds everything made.
    ///
    /// # Errors
    /// When a tool cannot be made: what failed, and where its log is.
    pub async fn ensure(paths: &Paths, progress: Progress) -> Result<Self> {
        let kubernetes = kubernetes::ensure(paths, progress);
        let python = async {
            let python = python::ensure(paths, progress).await?;
            let (model, photos) =
                tokio::try_join!(model::ensure(paths, &python, model::DEFAULT, progress), photos::ensure(paths, &python, progress))?;
            Ok((python, model, photos))
        };
        let (kubernetes, (python, model, photos)) = tokio::try_join!(kubernetes, python)?;
        Ok(Self { kubernetes, python, model, photos })
    }

    /// The folders of all models that have a recipe in `models`; those that are missing are made.
    ///
    /// # Errors
    /// When a model cannot be made: which, and where its log is.
    pub async fn models(&self, paths: &Paths, progress: Progress) -> Result<Vec<PathBuf>> {
        futures::future::try_join_all(model::ALL.map(|name| model::ensure(paths, &self.python, name, progress))).await
    }

    /// The folder of the model called `name`, made if it is missing; none when `models` has no recipe of that name.
    ///
    /// # Errors
    /// When it cannot be made: where its log is.
    pub async fn model(&self, paths: &Paths, name: &str, progress: Progress) -> Result<Option<PathBuf>> {
        match model::ALL.contains(&name) {
            true => model::ensure(paths, &self.python, name, progress).await.map(Some),
            false => Ok(None),
        }
    }

    /// A program of the virtual environment.
    #[must_use]
    pub fn python_program(&self, name: &str) -> PathBuf {
        self.python.join("bin").join(name)
    }
}
