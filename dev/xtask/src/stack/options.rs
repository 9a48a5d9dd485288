//! What a stack shall be.

use std::path::PathBuf;

use super::ec2::CloudDelays;
use crate::pods::ImageBinary;
use crate::progress::Progress;

/// How much of the system is started; each includes what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// etcd, kube-apiserver, kube-controller-manager, and pods as processes.
    Kubernetes,
    /// MiniStack with the default model, and cloudsim.
    Aws,
    /// The CRD and the operator.
    Operator,
    /// A fleet and its gateway.
    Fleet,
}

/// What a stack shall be.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Its folder: logs, state, kubeconfig.
    pub dir: PathBuf,
    /// How much is started.
    pub extent: Extent,
    /// A context of the user's kubeconfig to work in, instead of a Kubernetes of one's own.
    pub context: Option<String>,
    /// Whether its processes outlive this one.
    pub detached: bool,
    /// Programs that stand for container images, besides the gateway's.
    pub images: Vec<ImageBinary>,
    /// How quick EC2 is.
    pub delays: CloudDelays,
    /// The fleet to apply, relative to the checkout.
    pub fleet: PathBuf,
    /// Who is told what is being done.
    pub progress: Progress,
}

impl StackOptions {
    /// The whole system in `dir`, ended with this process, without a word.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            extent: Extent::Fleet,
            context: None,
            detached: false,
            images: Vec::new(),
            delays: CloudDelays::default(),
            fleet: PathBuf::from("examples/imagenet.yaml"),
            progress: Progress::quiet(),
        }
    }
}
