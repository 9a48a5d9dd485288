//! Helm and our chart: run in folders of its own, so that nobody's plugins and repositories matter, and made into the kustomize base.
//! Must not know what is in the chart.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::paths::Paths;
use crate::progress::Progress;
use crate::tools;

/// What Helm takes the cluster to be when it asks none.
const KUBE_VERSION: &str = "--kube-version=1.34.0";
/// Where the kustomize base has the chart's objects, in the checkout.
const KUSTOMIZE_BASE: &str = "deploy/kustomize/operator.yaml";
const HEADER: &str = "# Made from charts/classifier-fleet by `cargo xtask kustomize`; a test fails when it differs.\n";

/// Helm, and where our chart is.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    chart: PathBuf,
    base: PathBuf,
    home: PathBuf,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// Helm, built if it is missing.
    ///
    /// # Errors
    /// When it cannot be built: where its log is.
    pub async fn ensure(paths: &Paths, progress: Progress) -> Result<Self> {
        Ok(Self {
            program: tools::helm(paths, progress).await?,
            chart: paths.root.join("charts/classifier-fleet"),
            base: paths.root.join(KUSTOMIZE_BASE),
            home: paths.dev.join("helm"),
            kubeconfig: None,
        })
    }

    /// The same for a cluster.
    #[must_use]
    pub fn with_kubeconfig(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.to_owned()), ..self }
    }

    /// The folder of the chart.
    #[must_use]
    pub fn chart(&self) -> &Path {
        &self.chart
    }

    /// Runs Helm and returns what it prints.
    ///
    /// # Errors
    /// When it fails, with what it says.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let mut helm = Command::new(&self.program);
        helm.args(args).kill_on_drop(true);
        for (variable, folder) in [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")] {
            helm.env(variable, self.home.join(folder));
        }
        if let Some(kubeconfig) = &self.kubeconfig {
            helm.env("KUBECONFIG", kubeconfig);
        }
        let output = helm.output().await.with_context(|| format!("{} cannot be run", self.program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {}: {}", args.join(" "), said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The objects of a release called `release` in `namespace`, without a cluster; `args` as for `helm template`.
    ///
    /// # Errors
    /// When Helm refuses the values, with what it says.
    pub async fn template(&self, release: &str, namespace: &str, args: &[&str]) -> Result<String> {
        let chart = self.chart.to_string_lossy();
        self.run(&[&["template", release, &chart, "--namespace", namespace, KUBE_VERSION], args].concat()).await
    }

    /// What Helm finds wrong with the chart, as an error; `args` as for `helm lint`.
    ///
    /// # Errors
    /// When it finds anything.
    pub async fn lint(&self, args: &[&str]) -> Result<String> {
        self.run(&[&["lint", "--strict", KUBE_VERSION, &self.chart.to_string_lossy()], args].concat()).await
    }

    /// The kustomize base as it should be. The CRD stands beside it: it has no settings.
    ///
    /// # Errors
    /// When Helm fails.
    pub async fn kustomize_base(&self) -> Result<String> {
        let objects = self.template("classifier-fleet", "classifierfleet", &["--set", "crds.install=false"]).await?;
        Ok(format!("{HEADER}{}\n", objects.trim_end()))
    }

    /// Where the kustomize base is.
    #[must_use]
    pub fn kustomize_file(&self) -> &Path {
        &self.base
    }
}
