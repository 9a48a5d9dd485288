//! What a stack shall be.

use std::path::PathBuf;

use super::ec2::{CloudDelays, Guests};
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

/// What plays SQS and S3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Storage {
    /// MiniStack.
    #[default]
    MiniStack,
    /// roto, the second opinion.
    Roto,
}

/// What plays EC2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cloud {
    /// cloudsim.
    #[default]
    Cloudsim,
    /// moto, the second opinion: it honours no ClientToken, and nothing runs in its instances.
    Moto,
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
    /// The gateway's program; default: the one that cargo built with this one.
    pub gateway: Option<PathBuf>,
    /// Pods run on a real node of this machine, rather than as processes of it; [`crate::node::is_possible`] tells where.
    pub node: bool,
    /// What plays SQS and S3.
    pub storage: Storage,
    /// MiniStack keeps what it holds over [`super::Stack::restart_storage`].
    pub persist: bool,
    /// What plays EC2. What follows about EC2 holds for cloudsim.
    pub cloud: Cloud,
    /// How quick EC2 is.
    pub delays: CloudDelays,
    /// What runs in EC2's instances.
    pub guests: Guests,
    /// Write each AWS request of operator, gateways and workers to `requests.jsonl` in the folder. The relays that do so live
    /// in this process: not for a detached stack.
    pub record: bool,
    /// Further arguments of the stack's own operators.
    pub operator_args: Vec<String>,
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
            gateway: None,
            node: false,
            storage: Storage::default(),
            persist: false,
            cloud: Cloud::default(),
            delays: CloudDelays::default(),
            guests: Guests::default(),
            record: false,
            operator_args: Vec::new(),
            fleet: PathBuf::from("examples/imagenet.yaml"),
            progress: Progress::quiet(),
        }
    }
}
