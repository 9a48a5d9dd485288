//! The link between a node and the machine that it is on, and who has which addresses. They are of 198.18.0.0/15, which is set aside for
//! tests of networks, so that none of them is anybody's.

use std::net::Ipv4Addr;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::tools::Packages;

/// Nodes that one machine can have at a time, of all checkouts together.
const NODES: u8 = 16;

/// The addresses of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    number: u8,
}

impl Network {
    /// Connects the machine with the namespaces of the process `init`. The first link whose name is free makes the network ours. The
    /// link, and the routes over it, end with the namespaces.
    pub(super) async fn connect(tools: &Packages, init: i32) -> Result<Self> {
        for number in 0..NODES {
            let network = Self { number };
            match ip(tools, None, &format!("link add {} type veth peer name eth0 netns {init}", network.name())).await {
                Err(error) if error.to_string().contains("File exists") => continue,
                added => added?,
            }
            network.set_up(tools, init).await?;
            return Ok(network);
        }
        bail!("{NODES} nodes run on this machine already: `ip link` shows them as cfnode0 and so on")
    }

    async fn set_up(self, tools: &Packages, init: i32) -> Result<()> {
        let (name, host, node) = (self.name(), self.host(), self.node());
        let inside = format!("link set lo up\naddress add {node}/30 dev eth0\nlink set eth0 up\nroute add default via {host}");
        ip(tools, None, &format!("address add {host}/30 dev {name}\nlink set {name} up")).await?;
        ip(tools, Some(init), &inside).await?;
        ip(tools, None, &format!("route add {} via {node}\nroute add {} via {node}", self.pods(), self.services())).await
    }

    /// Unique among the nodes of this machine.
    pub(super) fn name(self) -> String {
        format!("cfnode{}", self.number)
    }

    /// The machine, as the node and its pods see it.
    pub(crate) fn host(self) -> Ipv4Addr {
        self.address(0, 1)
    }

    /// The node.
    pub(super) fn node(self) -> Ipv4Addr {
        self.address(0, 2)
    }

    /// Addresses of pods.
    pub(super) fn pods(self) -> String {
        format!("{}/24", self.address(1, 0))
    }

    /// Addresses of Services.
    pub(crate) fn services(self) -> String {
        format!("{}/24", self.address(2, 0))
    }

    fn address(self, subnet: u8, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.number * (u8::MAX / NODES + 1) + subnet, host)
    }
}

/// Does what `lines` say, in words of iproute2; in the network namespace of the process `inside`, or in our own.
async fn ip(tools: &Packages, inside: Option<i32>, lines: &str) -> Result<()> {
    let program = tools.program("ip")?;
    let mut command = match inside {
        None => Command::new(program),
        Some(pid) => {
            let mut command = Command::new("nsenter");
            command.args(["--target", &pid.to_string(), "--net", "--"]).arg(program);
            command
        }
    };
    command.args(["-batch", "-"]).envs(tools.env()?).kill_on_drop(true);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("ip cannot be run")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(format!("{lines}\n").as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "ip {lines:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_nothing_in_common() {
        let [first, second] = [Network { number: 0 }, Network { number: 1 }];
        assert_eq!((first.host(), first.node()), (Ipv4Addr::new(198, 18, 0, 1), Ipv4Addr::new(198, 18, 0, 2)));
        assert_eq!((first.pods().as_str(), first.services().as_str()), ("198.18.1.0/24", "198.18.2.0/24"));
        assert_eq!((second.host(), second.pods().as_str()), (Ipv4Addr::new(198, 18, 16, 1), "198.18.17.0/24"));
        assert_eq!(Network { number: NODES - 1 }.services(), "198.18.242.0/24");
    }
}
