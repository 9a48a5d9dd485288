//! `kubectl fleet logs`: what gateways and operator logged of a fleet, and where its workers' logs are. Asks the API server alone:
//! the instances are out of its reach, and out of this program's.

mod line;
mod pods;
mod workers;

use std::io::Write as _;

use anyhow::Result;

pub use line::{Line, Question};
pub use workers::where_workers_log;

use crate::args::{LineFormat, LogsArgs};
use crate::cluster::Cluster;
use crate::paint::Paint;
use pods::Read;

/// Prints the logs asked for; false: one could not be read.
///
/// # Errors
/// When the cluster does not answer, or has no such fleet.
pub async fn run(args: &LogsArgs) -> Result<bool> {
    let cluster = Cluster::connect(&args.cluster, false).await?;
    for fleet in cluster.list(Some(&args.name)).await? {
        let Read { lines, unread } = pods::read(&cluster, &fleet, args).await;
        let mut out = std::io::stdout().lock();
        for line in lines {
            match args.output {
                LineFormat::Text => writeln!(out, "{}", line.text(Paint::for_stdout()))?,
                LineFormat::Json => writeln!(out, "{}", line.json())?,
            }
        }
        for why in &unread {
            eprintln!("warning: {why}");
        }
        eprint!("{}", where_workers_log(&fleet, args.job.as_deref(), args.since));
        if !unread.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
