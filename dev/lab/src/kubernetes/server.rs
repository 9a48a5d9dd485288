//! Answers a process's requests from the store, and lets it watch. Knows nothing of what the objects are for.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use hyper::{Request as HttpRequest, Response};
use jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::request::Request;
use super::store::{Change, Part, Refusal, Store};
use crate::process::{Answered, Call, Process};
use crate::script::Service;

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// The API server's state, which all processes share.
pub struct Cluster {
    store: Mutex<Store>,
    changed: Notify,
    clock: sim::clock::Clock,
}

/// A watch ends after this long unless it asks for less.
const WATCH_AT_MOST: Duration = Duration::from_secs(290);

impl Cluster {
    /// An empty cluster.
    #[must_use]
    pub fn new(clock: sim::clock::Clock) -> Arc<Self> {
        Arc::new(Self { store: Mutex::default(), changed: Notify::new(), clock })
    }

    /// Works on the store, and lets watchers look.
    pub fn with<T>(&self, work: impl FnOnce(&mut Store, Timestamp) -> T) -> T {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let before = store.version();
        let result = work(&mut store, self.clock.now());
        if store.version() != before {
            self.changed.notify_waiters();
        }
        result
    }

    fn answer(&self, request: &Request, body: &Value, behind: Duration) -> Result<Value, Refusal> {
        let part = if request.subresource.as_deref() == Some("status") { Part::Status } else { Part::Main };
        let key = &request.key;
        self.with(|store, now| match request.method.as_str() {
            "GET" if key.name.is_empty() => Ok(list(store, request)),
            "GET" if request.query.get("resourceVersion").is_some_and(|version| version == "0") => {
                let seen = now - SignedDuration::try_from(behind).unwrap_or_default();
                store.get_at(key, seen).cloned().ok_or(Refusal::NotFound)
            }
            "GET" => store.get(key).cloned().ok_or(Refusal::NotFound),
            "POST" => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                store.create(super::store::Key { name, ..key.clone() }, body.clone(), now)
            }
            "PUT" => store.replace(key, body.clone(), part, now),
            "PATCH" => store.patch(key, body, part, request.query.contains_key("fieldManager"), now),
            "DELETE" => store.delete(key, body["preconditions"]["uid"].as_str(), now),
            _ => Err(Refusal::Internal),
        })
    }

    /// Events as a watch shows them, until it ends.
    fn watch(self: Arc<Self>, process: Arc<Process>, request: Request) -> impl Stream<Item = Value> {
        let seconds = request.query.get("timeoutSeconds").and_then(|text| text.parse().ok()).map_or(WATCH_AT_MOST, Duration::from_secs);
        let version = request.query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        let watch = Watch { cluster: self, process, until: Instant::now() + seconds.min(WATCH_AT_MOST), request, version, blind: false };
        let batches = stream::unfold(Some(watch), |watch| async move { watch?.next().await });
        batches.flat_map(stream::iter)
    }
}

struct Watch {
    cluster: Arc<Cluster>,
    process: Arc<Process>,
    request: Request,
    version: u64,
    until: Instant,
    /// It has shown nothing for a while, and what happened then is forgotten.
    blind: bool,
}

impl Watch {
    /// The next events. After the last ones there is no watch any more.
    async fn next(mut self) -> Option<(Vec<Value>, Option<Self>)> {
        loop {
            self.process.lives().await;
            let watches = self.process.weather().watches();
            if watches.blind_until.is_none() && self.blind {
                let gone = json!({"type": "ERROR", "object": status(Refusal::Expired)});
                return Some((vec![gone], None));
            }
            self.blind |= watches.blind_until.is_some();
            let cluster = self.cluster.clone();
            let changed = cluster.changed.notified();
            let (events, later) = if self.blind { (Vec::new(), None) } else { self.look(watches.behind) };
            if !events.is_empty() {
                tokio::time::sleep(self.process.weather().latency()).await;
                self.process.lives().await;
                return Some((events, Some(self)));
            }
            if Instant::now() >= self.until {
                return None;
            }
            let wake = [later, watches.blind_until].into_iter().flatten().fold(self.until, Instant::min);
            // Whichever comes first, it looks again.
            let _ = tokio::time::timeout_at(wake, changed).await;
        }
    }

    /// What happened since, as far as that is visible by now, and else when it will be.
    fn look(&mut self, behind: Duration) -> (Vec<Value>, Option<Instant>) {
        let cluster = self.cluster.clone();
        cluster.peek(|store, now| {
            let seen = now - SignedDuration::try_from(behind).unwrap_or_default();
            let ours = |change: &&Change| {
                let place = &self.request.key;
                change.key.resource == place.resource && (place.namespace.is_empty() || change.key.namespace == place.namespace)
            };
            let news = store.since(self.version).iter();
            let mut events = Vec::new();
            for change in news {
                if change.at > seen {
                    let wait = Duration::try_from(change.at.duration_since(seen)).unwrap_or_default();
                    return (events, Some(Instant::now() + wait));
                }
                self.version = change.version;
                if ours(&change) && self.request.selects(&change.object) {
                    events.push(json!({"type": change.what, "object": change.object}));
                }
            }
            (events, None)
        })
    }
}

impl Cluster {
    /// Looks at the store; nobody need look again.
    pub fn peek<T>(&self, look: impl FnOnce(&Store, Timestamp) -> T) -> T {
        look(&self.store.lock().unwrap_or_else(PoisonError::into_inner), self.clock.now())
    }
}

fn list(store: &Store, request: &Request) -> Value {
    let items: Vec<&Value> = store.list(&request.key.resource, &request.key.namespace).filter(|object| request.selects(object)).collect();
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": store.version().to_string()}, "items": items})
}

/// A client as a process has it.
pub fn client(cluster: &Arc<Cluster>, process: &Arc<Process>) -> Client {
    let (cluster, process) = (cluster.clone(), process.clone());
    let service = tower::service_fn(move |request: HttpRequest<Body>| {
        let (cluster, process) = (cluster.clone(), process.clone());
        async move { serve(cluster, process, request).await }
    });
    Client::new(service, "default")
}

async fn serve(cluster: Arc<Cluster>, process: Arc<Process>, request: HttpRequest<Body>) -> Result<Answer, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let Some(request) = Request::read(parts.method.as_str(), parts.uri.path(), parts.uri.query()) else {
        return Ok(answered(Err(Refusal::NotFound)));
    };
    let call = Call { service: Service::Kubernetes, what: request.summary(), writes: request.is_write() };
    if request.is_write() && request.key.resource.ends_with("/classifierfleets") && process.weather().take_conflict() {
        touch(&cluster, &request);
    }
    if request.is_watch() {
        return match process.call(call, || ()).await {
            Answered::With(()) => Ok(streamed(cluster.watch(process, request))),
            Answered::Broken => Err(broken()),
            Answered::Error | Answered::Throttled => Ok(answered(Err(Refusal::Unavailable))),
        };
    }
    let behind = process.weather().watches().behind;
    match process.call(call, || cluster.answer(&request, &body, behind)).await {
        Answered::With(result) => Ok(answered(result)),
        Answered::Broken => Err(broken()),
        Answered::Error | Answered::Throttled => Ok(answered(Err(Refusal::Unavailable))),
    }
}

/// Somebody else writes the object, which changes nothing but its version.
fn touch(cluster: &Cluster, request: &Request) {
    cluster.with(|store, now| {
        let mark = json!({"metadata": {"annotations": {"lab/touched": store.version().to_string()}}});
        // One that is gone is not written.
        let _ = store.patch(&request.key, &mark, Part::Main, false, now);
    });
}

fn broken() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the connection broke")
}

fn answered(result: Result<Value, Refusal>) -> Answer {
    let (code, body) = match result {
        Ok(object) => (200, object),
        Err(refusal) => (code(refusal), status(refusal)),
    };
    let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer
}

fn streamed(events: impl Stream<Item = Value> + Send + 'static) -> Answer {
    let frames = events.map(|event| Ok(Frame::data(Bytes::from(format!("{event}\n")))));
    Response::new(StreamBody::new(frames).boxed_unsync())
}

fn code(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::NotFound => 404,
        Refusal::Conflict | Refusal::AlreadyExists => 409,
        Refusal::Expired => 410,
        Refusal::Unavailable => 503,
        Refusal::Internal => 500,
    }
}

fn status(refusal: Refusal) -> Value {
    let reason = format!("{refusal:?}");
    let code = code(refusal);
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": reason})
}
