//! `cargo xtask down`: nothing of the stack is left.

use anyhow::Result;

use crate::paths::Paths;
use crate::process::Supervisor;
use crate::progress::line;
use crate::stack;

pub(super) async fn run(paths: &Paths) -> Result<()> {
    if !paths.dev.exists() {
        line("Nothing runs.");
        return Ok(());
    }
    let supervisor = Supervisor::new(&paths.dev)?;
    let running = supervisor.processes().len();
    stack::end_all(&supervisor).await?;
    match running {
        0 => line("Nothing was running."),
        _ => line(format!("Ended {running} processes; none is left. The logs stay in {}.", supervisor.dir().join("logs").display())),
    }
    Ok(())
}
