//! Connections: taken within limits, served, and closed in an orderly way. Knows nothing of what is asked or answered.

mod busy;
mod io;
mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use self::busy::Tracked;
use self::busy::{Busy, UnderWay};
use self::io::{Io, Transport as Stream};
pub(crate) use self::tls::Tls;
use crate::settings::Transport;

/// Request line and headers, and what is read at a time of a body, in bytes: the least that hyper allows, as much as most servers
/// do, and what each of many slow uploads takes.
const READ_BUFFER: usize = 8 * 1024;
/// Headers of a request.
const MOST_HEADERS: usize = 100;
/// Requests of one HTTP/2 connection at once, and bytes of their bodies that may be on their way to us.
const MOST_STREAMS: u32 = 100;
const WINDOW: u32 = 256 * 1024;
/// How often an HTTP/2 client is asked whether it is still there.
const PING: Duration = Duration::from_secs(20);

/// After an error of the system's (too many open files) nobody is let in for so long.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a client may take to hear that its idle connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// A port and how it is served.
pub(crate) struct Server {
    pub(crate) listener: TcpListener,
    pub(crate) settings: Transport,
    pub(crate) tls: Option<Tls>,
    /// Cancelled when clients are to take their next request elsewhere.
    pub(crate) leaving: CancellationToken,
    /// Cancelled when no more is taken, and what is idle is closed.
    pub(crate) closing: CancellationToken,
}

/// What every connection needs.
struct Shared<A> {
    app: A,
    settings: Transport,
    tls: Option<Tls>,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
    leaving: CancellationToken,
    closing: CancellationToken,
}

impl Server {
    /// Serves until it is closed and every connection has ended.
    pub(crate) async fn run<A, F, B>(self, app: A)
    where
        A: Fn(Request<Tracked<Incoming>>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let Self { listener, settings, tls, leaving, closing } = self;
        let (places, connections) = (Arc::new(Semaphore::new(settings.max_connections as usize)), TaskTracker::new());
        let (http1, http2) = (http1(), http2());
        let shared = Arc::new(Shared { app, settings, tls, http1, http2, leaving, closing: closing.clone() });
        while let Some(taken) = closing.run_until_cancelled(take(&listener, &places)).await {
            let Some((stream, place)) = taken else { continue };
            connections.spawn(Arc::clone(&shared).connection(stream, place));
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

/// The next connection, once there is a place for it.
async fn take(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are short and whole: waiting for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            Some((stream, place))
        }
        Err(error) if gone(&error) => None,
        Err(error) => {
            tracing::warn!(%error, pause_seconds = PAUSE.as_secs_f64(), "no connection can be taken, trying again");
            tokio::time::sleep(PAUSE).await;
            None
        }
    }
}

/// The client left before it was let in.
fn gone(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as E;
    matches!(error.kind(), E::ConnectionAborted | E::ConnectionReset | E::ConnectionRefused | E::Interrupted)
}

fn http1() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
    // No timeout of hyper's for headers: it would count the idle time before them, too.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_headers(MOST_HEADERS).max_buf_size(READ_BUFFER);
    builder
}

fn http2() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    http2.max_concurrent_streams(MOST_STREAMS).max_header_list_size(READ_BUFFER as u32).max_send_buf_size(WINDOW as usize);
    http2.initial_connection_window_size(WINDOW).initial_stream_window_size(WINDOW);
    builder
}

impl<A, F, B> Shared<A>
where
    A: Fn(Request<Tracked<Incoming>>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + Unpin + 'static,
{
    async fn connection(self: Arc<Self>, stream: TcpStream, place: OwnedSemaphorePermit) {
        let Some(tls) = &self.tls else {
            return self.serve(Box::new(stream), place, false).await;
        };
        match tokio::time::timeout(self.settings.header_timeout(), tls.accept(stream)).await {
            Ok(Ok((stream, is_http2))) => self.serve(stream, place, is_http2).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client could not agree on TLS"),
            Err(_) => tracing::debug!("a client did not begin TLS in time"),
        }
    }

    async fn serve(self: &Arc<Self>, stream: Box<dyn Stream>, place: OwnedSemaphorePermit, is_http2: bool) {
        let busy = Busy::new();
        // HTTP/2 can say which requests it still takes, so that it need not wait.
        let (builder, closing) = if is_http2 { (&self.http2, &self.leaving) } else { (&self.http1, &self.closing) };
        let service = service_fn(|request| {
            let (shared, under_way) = (Arc::clone(self), busy.begin());
            async move { Ok::<_, Infallible>(shared.answer(request, under_way).await) }
        });
        let io = TokioIo::new(Io::new(stream, place));
        let mut connection = pin!(builder.serve_connection_with_upgrades(io, service));
        let rest = tokio::select! {
            ended = connection.as_mut() => return log(ended),
            () = busy.idle(self.settings.header_timeout(), self.settings.idle_timeout()) => FAREWELL,
            () = closing.cancelled() => self.settings.header_timeout(),
        };
        // What is under way is answered; what does not begin in time never will be.
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => log(ended),
            () = busy.idle(rest, rest) => {}
        }
    }

    async fn answer(&self, request: Request<Incoming>, under_way: UnderWay) -> Response<Tracked<B>> {
        let (is_http1, body) = (request.version() < Version::HTTP_2, under_way.clone());
        let mut response = (self.app)(request.map(|incoming| Tracked::new(incoming, body))).await;
        if is_http1 && self.leaving.is_cancelled() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| Tracked::new(body, under_way))
    }
}

/// Clients come and go as they like: nothing to warn of.
fn log(ended: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
