//! What is installed into a cluster: the chart's package, the CRD alone, and all manifests in one file. Must not know what is in them.

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::{Release, VERSION, read};
use crate::archive::remade;
use crate::helm::Helm;
use crate::progress::Progress;
use crate::tools;

impl Release<'_> {
    /// Adds `classifier-fleet-VERSION.tgz`, the chart as `helm install` takes it.
    ///
    /// # Errors
    /// When Helm refuses it.
    pub async fn chart(&mut self, progress: Progress) -> Result<()> {
        let helm = Helm::ensure(self.paths, progress).await?;
        let (chart, out) = (helm.chart().to_string_lossy().into_owned(), self.out.to_string_lossy().into_owned());
        helm.run(&["package", &chart, "--version", VERSION, "--app-version", VERSION, "--destination", &out]).await?;
        let package = self.place(&format!("classifier-fleet-{VERSION}.tgz"));
        // Helm writes the time of its run into it.
        let same = remade(&read(&package)?, self.source.seconds())?;
        std::fs::write(&package, same).with_context(|| format!("cannot write {}", package.display()))
    }

    /// Adds `classifierfleet-crds.yaml` and `classifierfleet.yaml`, the kustomize base as `kubectl apply -f` takes it.
    ///
    /// # Errors
    /// When kubectl cannot make the base.
    pub async fn manifests(&mut self, progress: Progress) -> Result<()> {
        let crd = read(&self.paths.root.join("crds/classifierfleet.yaml"))?;
        self.write("classifierfleet-crds.yaml", &crd)?;
        let kubectl = tools::kubernetes(self.paths, progress).await?.join("kubectl");
        let base = self.paths.root.join("deploy/kustomize");
        // The chart's files, which the base is made from, lie outside it.
        let output = Command::new(kubectl).arg("kustomize").arg(base).kill_on_drop(true).output().await;
        let output = output.context("kubectl cannot be run")?;
        ensure!(output.status.success(), "kubectl kustomize: {}", String::from_utf8_lossy(&output.stderr).trim());
        self.write("classifierfleet.yaml", &output.stdout).map(drop)
    }
}
