//! `/healthz`, `/readyz` and `/metrics` on a port of their own.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::http::{Response, StatusCode};
use warp::{Filter, Rejection, Reply};

/// Whether the process can take work now; `/readyz` tells it.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether work can be taken.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Relaxed);
    }

    /// Whether work can be taken.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Binds `address` and returns the server as a future that ends once `shutdown` is cancelled, with the address bound.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind(
    address: SocketAddr,
    registry: Registry,
    readiness: Readiness,
    shutdown: CancellationToken,
) -> anyhow::Result<(SocketAddr, impl Future<Output = ()>)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for metrics and health"))?;
    let bound = listener.local_addr()?;
    let server = warp::serve(routes(registry, readiness)).incoming(listener).graceful(shutdown.cancelled_owned()).run();
    Ok((bound, server))
}

fn routes(registry: Registry, readiness: Readiness) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let healthz = warp::path!("healthz").map(|| text(StatusCode::OK, "ok\n"));
    let readyz = warp::path!("readyz").map(move || match readiness.get() {
        true => text(StatusCode::OK, "ok\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    });
    let metrics = warp::path!("metrics").map(move || metrics(&registry));
    warp::get().and(healthz.or(readyz).unify().or(metrics).unify())
}

fn metrics(registry: &Registry) -> Response<String> {
    let mut body = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&registry.gather(), &mut body) {
        Ok(()) => {
            let mut response = text(StatusCode::OK, String::from_utf8_lossy(&body).into_owned());
            if let Ok(value) = encoder.format_type().parse() {
                response.headers_mut().insert("content-type", value);
            }
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be encoded: {error}\n")),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
