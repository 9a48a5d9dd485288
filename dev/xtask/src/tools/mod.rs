//! What the local stack and the tests need and cargo does not bring: Kubernetes, Python tools, the model, the photos.
//! Each is made once, into a folder named by a hash of what it is made from.

mod keyed;
mod kubernetes;
mod model;
mod photos;
mod python;
mod shell;

use std::path::PathBuf;

use anyhow::Result;

use crate::paths::Paths;
use crate::progress::Progress;

/// Where the tools are.
#[derive(Debug, Clone)]
pub struct Tools {
    /// Folder with `etcd`, `kube-apiserver`, `kube-controller-manager`, `kubectl`, `signing-key`.
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
            let (model, photos) = tokio::try_join!(model::ensure(paths, &python, progress), photos::ensure(paths, &python, progress))?;
            Ok((python, model, photos))
        };
        let (kubernetes, (python, model, photos)) = tokio::try_join!(kubernetes, python)?;
        Ok(Self { kubernetes, python, model, photos })
    }

    /// A program of the virtual environment.
    #[must_use]
    pub fn python_program(&self, name: &str) -> PathBuf {
        self.python.join("bin").join(name)
    }
}
