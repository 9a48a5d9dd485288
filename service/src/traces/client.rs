//! HTTP to the collector, with the parts that the SDKs have. It runs on the exporter's own thread, so that it needs nothing of the
//! program's runtime, and the last spans still leave when that has ended.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::{Builder, Runtime};

/// For one request, from connecting to the end of its answer: the specification's default.
const LIMIT: Duration = Duration::from_secs(10);
/// A collector answers with a few bytes.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// The collector cannot be spoken to.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for spans can be had: {0}")]
pub(super) struct ClientError(#[from] std::io::Error);

/// Sends one request at a time.
pub(super) struct Client {
    runtime: Runtime,
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Client {
    pub(super) fn new() -> Result<Self, ClientError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?.https_or_http().enable_http1().build();
        // The runtime stands still between two requests, and could not see that a connection was closed meanwhile.
        let http = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { runtime, http })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = self.http.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

#[async_trait]
impl HttpClient for Client {
    /// Blocks: the exporter has a thread of its own, and does one thing at a time.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        self.runtime.block_on(async { tokio::time::timeout(LIMIT, self.exchange(request)).await? })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}
