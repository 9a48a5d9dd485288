//! `kubectl fleet status`: fleets as a table, live on a terminal, once elsewhere.

mod bar;
mod column;
mod live;
mod screen;
mod view;

pub use view::{View, peak, table};

use std::io::{IsTerminal as _, Write as _};

use anyhow::Result;
use crds::ClassifierFleet;

use crate::args::StatusArgs;
use crate::cluster::Cluster;
use crate::paint::Paint;

/// Shows the fleets that `args` asks for.
///
/// # Errors
/// When the cluster does not answer, or has no such fleet.
pub async fn run(args: &StatusArgs) -> Result<()> {
    let cluster = Cluster::connect(&args.cluster, args.all_namespaces).await?;
    // Asked once before the watch, which would only try again and again.
    let fleets = cluster.list(args.name.as_deref()).await?;
    let terminal = std::io::stdout().is_terminal();
    if terminal && !args.once {
        return live::watch(&cluster, args.name.as_deref()).await;
    }
    if fleets.is_empty() {
        let place = cluster.namespace.as_deref().map_or_else(String::new, |namespace| format!(" in namespace {namespace}; -A shows all"));
        eprintln!("There is no ClassifierFleet{place}.");
        return Ok(());
    }
    let fleets: Vec<&ClassifierFleet> = fleets.iter().collect();
    let width = terminal.then(|| screen::size().0);
    let view = View { width, namespaces: args.all_namespaces, peak: peak(&fleets), paint: Paint::for_stdout() };
    let mut out = std::io::stdout().lock();
    for line in table(&fleets, &view) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
