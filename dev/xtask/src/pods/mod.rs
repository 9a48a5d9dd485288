//! Plays scheduler and kubelet for a cluster without nodes: runs our pods as processes of this machine,
//! each with a loopback address of its own. Must not know what is in the pods.

mod address;
mod identity;
mod image;
mod probe;
mod resolve;
mod run;
mod status;
mod volumes;
mod watch;

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use service::logs::LogArgs;

pub use image::ImageBinary;
pub use status::is_ready;

/// Which pods are run: the gateways' and, where the chart is installed, the operator's.
const SELECTOR: &str = "app.kubernetes.io/part-of=classifierfleet";
/// The node that they are bound to. There is no such Node, and nothing asks for one.
const NODE: &str = "this-machine";

/// Runs the pods of a cluster without nodes as processes of this machine, until SIGTERM.
#[derive(Debug, Args)]
pub struct PodsArgs {
    /// How to reach the API server.
    #[arg(long)]
    kubeconfig: PathBuf,
    /// Folder of the stack.
    #[arg(long)]
    dir: PathBuf,
    /// NAME=PATH: the program that stands for images called NAME, whatever their tag.
    #[arg(long = "image-binary")]
    images: Vec<ImageBinary>,
    /// How to log.
    #[command(flatten)]
    logs: LogArgs,
}

/// Runs pods until SIGTERM, then ends their processes.
///
/// # Errors
/// When the API server cannot be reached at the start.
pub async fn serve(args: PodsArgs) -> Result<()> {
    service::logs::init(&args.logs)?;
    let shutdown = service::shutdown::on_signal()?;
    watch::serve(&args.kubeconfig, &args.dir, args.images, shutdown).await
}
