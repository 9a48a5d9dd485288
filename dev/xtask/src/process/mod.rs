//! Processes that outlive or accompany xtask: started in groups of their own, written down, found again, ended.
//! Knows nothing of what they are for.

mod group;
mod ports;
mod record;
mod supervisor;

pub use group::{MARKER, Process, end_group, of_stack, signal_group, wait_for_burial};
pub use ports::Ports;
pub use record::Record;
pub use supervisor::{Running, Supervisor};

use std::path::PathBuf;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Command {
    /// Unique in its stack; names the record and the log.
    pub name: String,
    /// The file to execute.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment, added to `PATH`, `HOME` and the like of this process.
    pub env: Vec<(String, String)>,
    /// Where it is started; default: the stack's `state` folder.
    pub folder: Option<PathBuf>,
    /// Where a person or a client finds it.
    pub url: Option<String>,
}

impl Command {
    /// A program without arguments, called `name`.
    #[must_use]
    pub fn new(name: &str, program: impl Into<PathBuf>) -> Self {
        Self { name: name.to_owned(), program: program.into(), args: Vec::new(), env: Vec::new(), folder: None, url: None }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<String>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds environment variables.
    #[must_use]
    pub fn env<I: IntoIterator<Item = (K, V)>, K: Into<String>, V: Into<String>>(mut self, env: I) -> Self {
        self.env.extend(env.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Says where it is started.
    #[must_use]
    pub fn folder(mut self, folder: PathBuf) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Says where a person or a client finds it.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}
