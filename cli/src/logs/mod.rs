//! `kubectl fleet logs`: what gateways and operator logged of a fleet, and where its workers' logs are. Asks the API server alone:
//! the instances are out of its reach, and out of this program's.

mod line;
mod pods;
mod workers;

use std::collections::HashSet;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;

pub use line::{Line, Question};
pub use workers::where_workers_log;

use crate::args::{LineFormat, LogsArgs};
use crate::cluster::Cluster;
use crate::paint::Paint;
use pods::{Read, Seen};

/// How often logs are read that are followed.
const PERIOD: Duration = Duration::from_secs(1);

/// Prints the logs asked for; false: one could not be read. Ends only with the process if they are followed.
///
/// # Errors
/// When the cluster does not answer, or has no such fleet.
pub async fn run(args: &LogsArgs) -> Result<bool> {
    let cluster = Cluster::connect(&args.cluster, false).await?;
    let (mut seen, mut warned) = (Seen::nothing(), HashSet::new());
    let mut is_read = true;
    for fleet in cluster.list(Some(&args.name)).await? {
        is_read &= print(pods::read(&cluster, &fleet, args, &mut seen).await, args.output, &mut warned)?;
        eprint!("{}", where_workers_log(&fleet, args.job.as_deref(), args.since));
        if args.follow {
            loop {
                tokio::time::sleep(PERIOD).await;
                print(pods::read(&cluster, &fleet, args, &mut seen).await, args.output, &mut warned)?;
            }
        }
    }
    Ok(is_read)
}

/// Prints what was read, and what could not be if it was not said before; whether all was read.
fn print(Read { lines, unread }: Read, format: LineFormat, warned: &mut HashSet<String>) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        match format {
            LineFormat::Text => writeln!(out, "{}", line.text(Paint::for_stdout()))?,
            LineFormat::Json => writeln!(out, "{}", line.json())?,
        }
    }
    let is_read = unread.is_empty();
    for why in unread {
        if warned.insert(why.clone()) {
            eprintln!("warning: {why}");
        }
    }
    Ok(is_read)
}
