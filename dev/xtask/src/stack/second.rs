//! The second set of stand-ins for AWS: roto for SQS and S3, moto for EC2. What passes on the first set must pass here too,
//! as far as these go: `dev/fidelity/README.md` says how far that is.

use std::time::Duration;

use anyhow::Result;

use super::environment::CREDENTIALS;
use super::launch::{Launcher, Part};
use crate::process::Command;

/// The account that queue URLs and ARNs name, as MiniStack has it.
const ACCOUNT: &str = "000000000000";

/// Starts roto, which keeps nothing. Returns its endpoint, of SQS and S3.
pub(super) async fn start_roto(launcher: &Launcher) -> Result<String> {
    let command = || {
        let (host, port) = (launcher.address.to_string(), launcher.ports.of("roto")?.to_string());
        let args = ["--host", &host, "--port", &port, "--account-id", ACCOUNT, "--ephemeral"].map(str::to_owned);
        let roto = Command::new("roto", launcher.tools.python_program("roto-server"));
        Ok(roto.env(CREDENTIALS).args(args).url(launcher.url("roto")?))
    };
    start(launcher, "roto", "/", command).await
}

/// Starts moto. Its instances run at once and nothing in them. Returns its endpoint, of EC2.
pub(crate) async fn start_moto(launcher: &Launcher) -> Result<String> {
    let command = || {
        let args = ["-H".to_owned(), launcher.address.to_string(), "-p".to_owned(), launcher.ports.of("moto")?.to_string()];
        let moto = Command::new("moto", launcher.tools.python_program("moto_server"));
        Ok(moto.env(CREDENTIALS).args(args).url(launcher.url("moto")?))
    };
    start(launcher, "moto", "/moto-api/", command).await
}

/// Starts the stand-in called `name` and waits until it answers at `path`, whatever it says.
async fn start(launcher: &Launcher, name: &str, path: &str, command: impl Fn() -> Result<Command>) -> Result<String> {
    let ready = async || match launcher.url(name) {
        Ok(url) => launcher.http.get(format!("{url}{path}")).send().await.is_ok(),
        Err(_) => false,
    };
    launcher.start(Part { name, ports: &[name], limit: Duration::from_secs(60) }, command, ready).await?;
    launcher.url(name)
}
