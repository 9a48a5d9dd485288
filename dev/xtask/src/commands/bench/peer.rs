//! Who ours is measured against: one plain Python worker (`dev/baselines/worker.py`) on the same queue and buckets.

use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use nix::sys::signal::Signal;

use super::client::Client;
use super::fleet::{OUTPUT_BUCKET, REQUEST_QUEUE};
use crate::paths::Paths;
use crate::photos::Photo;
use crate::process::{Command, Running};
use crate::stack::Stack;
use crate::wait::tail;

/// What tables call it.
pub(super) const NAME: &str = "plain Python worker";
/// What it calls itself in its answers.
pub(super) const WORKER: &str = "python";
/// Relative to the checkout.
pub(super) const PROGRAM: &str = "dev/baselines/worker.py";
/// What the stack calls it.
pub(super) const PROCESS: &str = "python-worker";

/// MiniStack's polls look every 100 ms.
const STALE_POLL_TAKES_WITHIN: Duration = Duration::from_millis(500);
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// The plain worker while it runs.
pub(super) struct Peer<'a> {
    stack: &'a Stack,
    running: Running,
}

impl<'a> Peer<'a> {
    /// Starts it and waits until it has answered an upload.
    ///
    /// MiniStack goes on with the poll of a worker that is gone, for up to 20 s, and lets it take a message. So the upload
    /// comes first and the worker after it: such a poll takes this one and none that is measured, and the message is back
    /// once its visibility timeout has passed.
    ///
    /// # Errors
    /// When another worker answers, or this one does not.
    pub(super) async fn start(stack: &'a Stack, client: &Client, photo: &Photo) -> Result<Self> {
        let mut upload = std::pin::pin!(client.upload(photo));
        let early = tokio::time::timeout(STALE_POLL_TAKES_WITHIN, &mut upload).await;
        ensure!(early.is_err(), "an upload was answered before the {NAME} ran: another worker is left");
        let mut running = stack.supervisor().start(&command(stack)?)?;
        let log = || tail(&stack.log(PROCESS));
        let answer = tokio::select! {
            answer = &mut upload => answer.map_err(|error| anyhow!("{error:#}. {}", log()))?,
            _ = &mut running.exit => bail!("the {NAME} ended by itself. {}", log()),
        };
        ensure!(answer.worker == WORKER, "{} answered, not the {NAME}", answer.worker);
        Ok(Self { stack, running })
    }

    /// The end of what it wrote.
    pub(super) fn log(&self) -> String {
        tail(&self.stack.log(PROCESS))
    }

    /// Ends it between two messages. One more upload ends the poll that it is in, so that none is left behind.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) async fn stop(self, client: &Client, photo: &Photo) -> Result<()> {
        let supervisor = self.stack.supervisor();
        supervisor.signal(PROCESS, Signal::SIGTERM);
        client.upload(photo).await?;
        let log = self.stack.log(PROCESS);
        let Ok(status) = tokio::time::timeout(ENDS_WITHIN, self.running.exit).await else {
            bail!("the {NAME} does not end. {}", tail(&log));
        };
        let status = status?;
        ensure!(status.success(), "the {NAME} ended with {status}. {}", tail(&log));
        supervisor.end(PROCESS, Duration::ZERO);
        Ok(())
    }
}

/// How to start it.
pub(super) fn command(stack: &Stack) -> Result<Command> {
    let program = Paths::discover()?.root.join(PROGRAM);
    let tools = stack.tools();
    let settings = [("--queue", REQUEST_QUEUE.to_owned()), ("--output-bucket", OUTPUT_BUCKET.to_owned())];
    let settings = settings.into_iter().chain([("--model", tools.model.display().to_string())]);
    let args = settings.flat_map(|(name, value)| [name.to_owned(), value]);
    let python = Command::new(PROCESS, tools.python_program("python")).args(["-B".to_owned(), program.display().to_string()]);
    Ok(python.args(args).env(stack.endpoints()?.env()))
}
