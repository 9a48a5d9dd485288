//! Stands between our programs and the servers that they call: HTTP on loopback, passed on unchanged. Records what passes, and
//! can let a call fail or hang at a chosen point. Knows how calls are named, not what they are for.

mod answer;
mod call;
mod gate;
mod record;
mod server;
mod upstream;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use call::{Call, Service};
pub use gate::{Fault, Gate, Point, Refusal, Side};
pub use record::Recorder;

use self::server::Traffic;
use self::upstream::Upstream;

/// A relay to one server. It ends when it is dropped, with all its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    server: AbortHandle,
}

/// What a relay does with the requests, besides passing them on.
#[derive(Debug, Clone, Default)]
pub struct Tap {
    /// Writes AWS requests down.
    pub recorder: Option<Recorder>,
    /// Counts requests and interferes with them.
    pub gate: Option<Arc<Gate>>,
}

impl Relay {
    /// A relay to the AWS service that answers at `endpoint`, such as `http://127.0.0.1:4566`.
    ///
    /// # Errors
    /// When `endpoint` is no such URL or no port is free.
    pub async fn to_aws(service: Service, endpoint: &str, tap: Tap) -> Result<Self> {
        Self::start(service, Upstream::aws(endpoint)?, tap).await
    }

    /// A relay to the API server that the configuration `config` reaches, with its credentials.
    ///
    /// # Errors
    /// When no client can be made of `config` or no port is free.
    pub async fn to_kubernetes(config: kube::Config, tap: Tap) -> Result<Self> {
        Self::start(Service::Kubernetes, Upstream::kubernetes(config)?, tap).await
    }

    async fn start(service: Service, upstream: Upstream, tap: Tap) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port on 127.0.0.1 is free for a relay")?;
        let address = listener.local_addr()?;
        let traffic = Arc::new(Traffic { service, upstream, tap });
        let server = tokio::spawn(server::serve(listener, traffic)).abort_handle();
        Ok(Self { address, server })
    }

    /// Where clients reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.server.abort();
    }
}
