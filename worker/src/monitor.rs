//! Where a worker serves health and metrics. Knows nothing of what they tell.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use anyhow::Context as _;
use prometheus::Registry;
use service::monitor::{self, Readiness};
use tokio_util::sync::CancellationToken;

use crate::instance::private_address;

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// At an address.
    At(SocketAddr),
    /// At the private address that the instance has in its VPC, which its metadata tell, at a port.
    Instance(u16),
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let listen = match text.strip_prefix("instance:") {
            Some(port) => port.parse().ok().map(Self::Instance),
            None => text.parse().ok().map(Self::At),
        };
        listen.ok_or_else(|| format!("{text:?} is no address; write for example 127.0.0.1:9090, or instance:9090"))
    }
}

/// Serves until `stop`. A worker that cannot be watched works nevertheless.
pub async fn serve(listen: Listen, registry: Registry, readiness: Readiness, stop: CancellationToken) {
    let bound = async { monitor::bind(address(listen).await?, registry, readiness, stop.clone()).await };
    match stop.run_until_cancelled(bound).await {
        Some(Ok((address, server))) => {
            tracing::info!(%address, "health and metrics are served");
            server.await;
        }
        Some(Err(error)) => tracing::warn!(error = format!("{error:#}"), "health and metrics are not served, the worker goes on without"),
        None => {}
    }
}

async fn address(listen: Listen) -> anyhow::Result<SocketAddr> {
    match listen {
        Listen::At(address) => Ok(address),
        Listen::Instance(port) => {
            let address = private_address().await?;
            let address: IpAddr = address.parse().with_context(|| format!("the metadata tell the private address {address:?}"))?;
            Ok((address, port).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Listen;

    #[test]
    fn an_address_or_the_port_of_the_instance() {
        assert_eq!("instance:9090".parse(), Ok(Listen::Instance(9090)));
        assert_eq!("[::1]:1".parse(), Ok(Listen::At((std::net::Ipv6Addr::LOCALHOST, 1).into())));
        for wrong in ["9090", "instance", "instance:", "instance:x", "localhost:1"] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }
}
