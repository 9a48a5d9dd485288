//! Classifies an image in a process of its own: what ends that process (memory, a broken decoder) does not end the worker and
//! the other jobs that it holds. Knows nothing of queues and buckets.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::classify::Classified;

/// Loading the model and classifying one image; nothing that is not stuck takes as long.
const LIMIT: Duration = Duration::from_secs(120);

/// Nothing was learned of the image, or nothing good.
#[derive(Debug, thiserror::Error)]
pub(super) enum IsolatedError {
    /// The process could not be run.
    #[error("an image could not be classified in a process of its own: {0}")]
    Io(#[from] std::io::Error),
    /// It ended before it had the answer.
    #[error("classifying the image ended the process that did it ({0})")]
    Ended(String),
    /// It went on and on.
    #[error("the image was not classified within {} s", LIMIT.as_secs())]
    Stuck,
    /// It said something else than an answer.
    #[error("the process that classified the image gave no answer: {0}")]
    Answer(#[from] serde_json::Error),
}

/// How to start a process that classifies one image: it reads the image from its standard input and writes the [`Classified`] as JSON.
#[derive(Debug, Clone)]
pub struct Isolation {
    program: PathBuf,
    args: Vec<OsString>,
}

impl Isolation {
    /// A program and its arguments.
    #[must_use]
    pub fn new(program: PathBuf, args: Vec<OsString>) -> Self {
        Self { program, args }
    }

    /// This program with its own arguments, and `flag`.
    ///
    /// # Errors
    /// When the program cannot be located.
    pub fn of_this_program(flag: &str) -> std::io::Result<Self> {
        let args = std::env::args_os().skip(1).chain([flag.into()]).collect();
        Ok(Self::new(std::env::current_exe()?, args))
    }

    /// Classifies an image.
    pub(super) async fn classify(&self, image: &[u8]) -> Result<Classified, IsolatedError> {
        let mut child =
            Command::new(&self.program).args(&self.args).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A process that ends before it has read everything has told enough by that.
                let _ = stdin.write_all(image).await;
            }
        };
        let (answer, ()) = tokio::join!(answer(child), feed);
        answer
    }
}

async fn answer(child: Child) -> Result<Classified, IsolatedError> {
    let output = timeout(LIMIT, child.wait_with_output()).await.map_err(|_| IsolatedError::Stuck)??;
    if !output.status.success() {
        return Err(IsolatedError::Ended(output.status.to_string()));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
