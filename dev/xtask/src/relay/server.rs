//! The HTTP server of a relay: takes requests, asks the gate, passes them on, writes them down.

use std::future::pending;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::record::Recorded;
use super::upstream::Upstream;
use super::{Call, Fault, Service, Side, Tap, answer, call};

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(super) type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// What all connections of a relay share.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) service: Service,
    pub(super) upstream: Upstream,
    pub(super) tap: Tap,
}

/// The connection is to be broken off.
#[derive(Debug, thiserror::Error)]
#[error("the relay was told to break the connection off")]
struct BreakOff;

/// Takes connections until it is dropped; they end with it.
pub(super) async fn serve(listener: TcpListener, traffic: Arc<Traffic>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(converse(stream, traffic.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, to its end. How it ends is the client's concern.
async fn converse(stream: TcpStream, traffic: Arc<Traffic>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| take(traffic.clone(), request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn take(traffic: Arc<Traffic>, request: Request<Incoming>) -> Result<Response<Answer>, BoxError> {
    let at = Timestamp::now();
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    if call::is_watch(traffic.service, &parts) {
        return Ok(traffic.passed_on(&parts, body).await);
    }
    let fault = traffic.tap.gate.as_ref().and_then(|gate| gate.pass(&Call::of(traffic.service, &parts, &body)));
    let answered = traffic.answer(&parts, &body, fault).await;
    traffic.record(at, &parts, &body, answered.as_ref());
    match fault {
        Some(Fault::Hang(_)) => pending().await,
        Some(Fault::Lost(_)) => Err(BreakOff.into()),
        _ => answered.map(|answered| answered.map(answer::whole)).ok_or_else(|| BreakOff.into()),
    }
}

impl Traffic {
    /// What the server answers, or what the fault has it answer. Nothing when it shall not see the request.
    async fn answer(&self, parts: &Parts, body: &Bytes, fault: Option<Fault>) -> Option<Response<Bytes>> {
        let answered = match fault {
            Some(Fault::Hang(Side::Before) | Fault::Lost(Side::Before)) => return None,
            Some(Fault::Refused(refusal)) => answer::refusal(self.service, refusal),
            Some(Fault::Delayed(time)) => {
                tokio::time::sleep(time).await;
                self.passed_on(parts, body.clone()).await
            }
            Some(Fault::Hang(Side::After) | Fault::Lost(Side::After)) | None => self.passed_on(parts, body.clone()).await,
        };
        let (head, body) = answered.into_parts();
        // An answer that breaks off is passed on as broken off.
        let body = body.collect().await.ok()?.to_bytes();
        Some(Response::from_parts(head, body))
    }

    async fn passed_on(&self, parts: &Parts, body: Bytes) -> Response<Answer> {
        let answered = self.upstream.send(parts, body).await;
        answered.unwrap_or_else(|error| answer::unreachable(&error.to_string()))
    }

    fn record(&self, at: Timestamp, parts: &Parts, body: &Bytes, answered: Option<&Response<Bytes>>) {
        let Some(recorder) = &self.tap.recorder else { return };
        let status = answered.map(|answered| answered.status().as_u16());
        let answer = answered.map(|answered| &**answered.body()).unwrap_or_default();
        recorder.write(&Recorded { at, service: self.service, parts, body, status, answer });
    }
}
