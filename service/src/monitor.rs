//! `/healthz`, `/readyz` and `/metrics` on a port of their own, and a page more where a program has one.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warp::http::{Response, StatusCode};
use warp::path::FullPath;
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

/// What a page says as JSON, or in a sentence why it cannot.
type Answer = Pin<Box<dyn Future<Output = Result<String, String>> + Send>>;

/// A page of JSON besides the usual ones.
#[derive(Clone)]
pub struct Page {
    path: &'static str,
    answer: Arc<dyn Fn() -> Answer + Send + Sync>,
}

impl Page {
    /// At `path`, made anew by `answer` each time; its error is told with status 503.
    pub fn new<F: Future<Output = Result<String, String>> + Send + 'static>(
        path: &'static str,
        answer: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self { path, answer: Arc::new(move || Box::pin(answer())) }
    }

    async fn get(self, path: FullPath) -> Result<Response<String>, Rejection> {
        if path.as_str() != self.path {
            return Err(warp::reject::not_found());
        }
        Ok(match (self.answer)().await {
            Ok(json) => typed(text(StatusCode::OK, json), "application/json"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
        })
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
    bind_with(address, registry, readiness, None, shutdown).await
}

/// As [`bind`], with a page more.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind_with(
    address: SocketAddr,
    registry: Registry,
    readiness: Readiness,
    page: Option<Page>,
    shutdown: CancellationToken,
) -> anyhow::Result<(SocketAddr, impl Future<Output = ()>)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} for metrics and health"))?;
    let bound = listener.local_addr()?;
    let server = warp::serve(routes(registry, readiness, page)).incoming(listener).graceful(shutdown.cancelled_owned()).run();
    Ok((bound, server))
}

fn routes(registry: Registry, readiness: Readiness, page: Option<Page>) -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone {
    let healthz = warp::path!("healthz").map(|| text(StatusCode::OK, "ok\n"));
    let readyz = warp::path!("readyz").map(move || match readiness.get() {
        true => text(StatusCode::OK, "ok\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    });
    let metrics = warp::path!("metrics").map(move || metrics(&registry));
    let more = warp::path::full().and_then(move |path| {
        let page = page.clone();
        async move {
            match page {
                Some(page) => page.get(path).await,
                None => Err(warp::reject::not_found()),
            }
        }
    });
    warp::get().and(healthz.or(readyz).unify().or(metrics).unify().or(more).unify())
}

fn metrics(registry: &Registry) -> Response<String> {
    let mut body = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&registry.gather(), &mut body) {
        Ok(()) => typed(text(StatusCode::OK, String::from_utf8_lossy(&body).into_owned()), encoder.format_type()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("the metrics cannot be encoded: {error}\n")),
    }
}

fn typed(mut response: Response<String>, content_type: &str) -> Response<String> {
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert("content-type", value);
    }
    response
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
