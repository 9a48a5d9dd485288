//! Starting one part: free ports, the process, and waiting until it is ready; once more when a port was taken meanwhile.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::process::{Command, Ports, Record, Supervisor};
use crate::progress::Progress;
use crate::tools::Tools;
use crate::wait;

/// Times that a part is started when others take its port first.
const ATTEMPTS: usize = 5;

/// What every part needs in order to be started.
#[derive(Debug)]
pub(crate) struct Launcher {
    pub(crate) supervisor: Supervisor,
    /// Where servers listen: loopback, or where pods of a node reach this machine.
    pub(crate) address: Ipv4Addr,
    pub(crate) ports: Ports,
    pub(crate) paths: Paths,
    pub(crate) tools: Tools,
    pub(crate) progress: Progress,
    pub(crate) http: reqwest::Client,
}

/// A part to start.
pub(crate) struct Part<'a> {
    /// Unique in the stack; names the log.
    pub(crate) name: &'a str,
    /// Names of the ports that it listens on.
    pub(crate) ports: &'a [&'a str],
    /// Time that it has to become ready.
    pub(crate) limit: Duration,
}

impl Launcher {
    pub(crate) fn new(supervisor: Supervisor, paths: Paths, tools: Tools, progress: Progress) -> Result<Self> {
        let ports = Ports::open(&supervisor.run().join("ports.json"));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
        Ok(Self { supervisor, address: Ipv4Addr::LOCALHOST, ports, paths, tools, progress, http })
    }

    /// Runs `command` and waits until `ready`. `command` is made anew with other ports when one was taken in between.
    pub(crate) async fn start(
        &self,
        part: Part<'_>,
        command: impl Fn() -> Result<Command>,
        ready: impl AsyncFn() -> bool,
    ) -> Result<Record> {
        let log = self.supervisor.log(part.name);
        for attempt in 1.. {
            let written = std::fs::metadata(&log).map_or(0, |file| file.len());
            let record = self.supervisor.ensure(&command()?)?;
            let settled = async || !self.supervisor.is_alive(&record) || ready().await;
            wait::until(&format!("{} becomes ready", part.name), part.limit, &log, settled).await?;
            if self.supervisor.is_alive(&record) {
                return Ok(record);
            }
            if attempt == ATTEMPTS || !says_port_taken(&log, written) {
                bail!("{} ended before it was ready. {}", part.name, wait::tail(&log));
            }
            part.ports.iter().for_each(|port| self.ports.forget(port));
        }
        bail!("{} was not started", part.name)
    }

    /// URL of what listens on the port called `port`.
    pub(crate) fn url(&self, port: &str) -> Result<String> {
        Ok(format!("http://{}", self.listen(port)?))
    }

    /// Address and port of what is called `port`.
    pub(crate) fn listen(&self, port: &str) -> Result<SocketAddrV4> {
        Ok(SocketAddrV4::new(self.address, self.ports.of(port)?))
    }

    /// A program that cargo built, as a command.
    pub(crate) fn program(&self, name: &str, program: &str) -> Result<Command> {
        Ok(Command::new(name, self.paths.program(program)?))
    }

    /// An empty folder, or the one that is there, below the stack's `state`.
    pub(crate) fn state(&self, name: &str) -> Result<std::path::PathBuf> {
        let folder = self.supervisor.dir().join("state").join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Whether what was appended to the log since it had `written` bytes tells of a port in use.
fn says_port_taken(log: &std::path::Path, written: u64) -> bool {
    let bytes = std::fs::read(log).unwrap_or_default();
    let since = usize::try_from(written).unwrap_or(usize::MAX).min(bytes.len());
    String::from_utf8_lossy(&bytes[since..]).to_lowercase().contains("address already in use")
}
