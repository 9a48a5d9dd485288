//! HTTP: requests taken apart, answers put together. Knows nothing of how an image is stored, queued or waited for.

mod access;
mod assets;
mod body;
mod collect;
mod cors;
mod detach;
mod disposition;
mod events;
mod gate;
mod images;
mod multipart;
mod pace;
mod problem;
mod query;
mod raw;
mod response;
mod route;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use hyper_util::service::TowerToHyperService;
use tracing::Instrument as _;
use uuid::Uuid;
use warp::http::{HeaderMap, Method, Response};
use warp::path::FullPath;
use warp::ws::Ws;
use warp::{Filter, Reply};

pub(crate) use self::access::Access;
use self::body::Body;
use self::cors::Cors;
use self::gate::Gate;
pub(crate) use self::pace::{LEAST_BYTES, WINDOW};
use self::response::Received;
use self::route::{Route, route};
pub(crate) use self::server::{Server, Tls};
use crate::answer;
use crate::core::Core;
use crate::fleet;
use crate::idempotency::Key;
use crate::lookup::{Known, look_up};
use crate::refusal::Refusal;
use crate::spans;
use crate::upload::{self, File, Origin, follow, submit};

/// Files of one request that are stored and queued at once.
const SUBMITTED_AT_ONCE: usize = 8;

/// Longest that `?wait=` may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves until `server` is closed, then finishes what has begun.
pub(crate) async fn serve(core: Arc<Core>, server: Server, access: Access) {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let request = warp::method().and(warp::path::full()).and(query).and(warp::header::headers_cloned()).and(warp::body::stream());
    let request = request.and(warp::ws().map(Some).or(warp::any().map(|| None)).unify());
    let answering = Arc::clone(&core);
    let answers = request.then(move |method, path, query, headers, body, socket| {
        Box::pin(answer(Arc::clone(&answering), method, path, query, headers, body, socket))
    });
    let (cors, inside) = (Cors::new(server.settings.cors_origins.clone()), TowerToHyperService::new(warp::service(answers)));
    let gate = Arc::new(Gate { core, access, cors, inside });
    let app = move |request| {
        let gate = Arc::clone(&gate);
        async move { gate.pass(request).await }
    };
    server.run(app).await;
}

async fn answer<S, B>(
    core: Arc<Core>,
    method: Method,
    path: FullPath,
    query: String,
    headers: HeaderMap,
    body: S,
    socket: Option<Ws>,
) -> warp::reply::Response
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let (path, is_tls) = (path.as_str(), core.settings.transport.tls_dir.is_some());
    let route = route(&method, path);
    let span = spans::request(&method, path, route.template(), is_tls, &headers);
    let body = Body::new(body, &headers, core.metrics.received.clone());
    let mut response = respond(core, method, path, route, query, headers, body, socket).instrument(span.clone()).await;
    spans::answered(&span, &mut response);
    response
}

#[expect(clippy::too_many_arguments, reason = "they are what a request consists of")]
async fn respond(
    core: Arc<Core>,
    method: Method,
    path: &str,
    route: Route<'_>,
    query: String,
    headers: HeaderMap,
    body: Body,
    socket: Option<Ws>,
) -> warp::reply::Response {
    let answer = match route {
        Route::Upload => return classify(&core, &headers, &query, body).await.into_response(),
        Route::Submit => return accept(&core, &headers, &query, body).await.into_response(),
        // Boxed: of many slow uploads none shall take the room that S3's state needs here.
        Route::Image(id) => Box::pin(image(&core, id, &query)).await.map(Reply::into_response),
        Route::List => Box::pin(images::list(&core, &query)).await.map(Reply::into_response),
        Route::Content(id) => Box::pin(images::content(&core, id)).await,
        Route::Delete(id) => Box::pin(images::delete(&core, id)).await.map(Reply::into_response),
        Route::Events => events::response(&core, &headers, &query, socket),
        Route::Fleet => Ok(response::json(&fleet::view(&core).await).into_response()),
        Route::Asset(asset) => Ok(asset.response(&headers).into_response()),
        Route::NoSuchPath => Err(Refusal::NoSuchPath { path: path.to_owned() }),
        Route::MethodNotAllowed(allow) => Err(Refusal::MethodNotAllowed { method: method.to_string(), allow }),
    };
    body.discard(&core.tasks);
    answer.unwrap_or_else(|refusal| problem::response(&refusal, Vec::new()).into_response())
}

/// `POST /upload` and the like: waits for the labels. A body that breaks off is answered without waiting.
async fn classify(core: &Arc<Core>, headers: &HeaderMap, query: &str, body: Body) -> Response<String> {
    let (origin, Received { images, broken }) = receive(core, headers, query, body).await;
    let images = match broken {
        None => futures::future::join_all(images.into_iter().map(|image| image.result(core, &origin))).await,
        Some(_) => leave(core, images, &origin),
    };
    let received = Received { images, broken };
    let mut response = response::labels(&received, response::format(headers, core.settings.response_format));
    if core.cache.is_on() {
        response::set_cached(&mut response, &received);
    }
    response
}

/// `POST /v1/images`: says the ids.
async fn accept(core: &Arc<Core>, headers: &HeaderMap, query: &str, body: Body) -> Response<String> {
    let (origin, Received { images, broken }) = receive(core, headers, query, body).await;
    response::ids(&Received { images: leave(core, images, &origin), broken })
}

/// `GET /v1/images/{id}`.
async fn image(core: &Core, id: &str, query: &str) -> Result<Response<String>, Refusal> {
    let unknown = || Refusal::NoSuchImage { id: id.to_owned() };
    let parsed = Uuid::parse_str(id).map_err(|_| unknown())?;
    match look_up(core, parsed, wait(query)?).await.map_err(Arc::new)? {
        Some(Known::Finished(job)) => Ok(response::json(&answer::finished(&job))),
        Some(Known::Pending(name)) => Ok(response::json(&answer::pending(parsed, &name))),
        None => Err(unknown()),
    }
}

fn wait(query: &str) -> Result<Duration, Refusal> {
    let Some(wait) = query::parameter(query, "wait") else {
        return Ok(Duration::ZERO);
    };
    match wait.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds).min(LONGEST_WAIT)),
        Err(_) => Err(Refusal::BadWait { wait }),
    }
}

/// Takes the files of a request while they come, until its end or until something ends it.
async fn receive(core: &Core, headers: &HeaderMap, query: &str, mut body: Body) -> (Origin, Received<upload::Submitted>) {
    let mut origin = origin(headers);
    let mut received = match key(headers) {
        Ok(key) => {
            origin.key = key;
            let hashed = origin.key.is_some() || core.cache.is_on();
            submit_all(core, files(headers, query, &mut body, core, hashed), &origin).await
        }
        Err(refusal) => Received { images: Vec::new(), broken: Some(refusal) },
    };
    body.discard(&core.tasks);
    if received.images.is_empty() && received.broken.is_none() {
        received.broken = Some(Refusal::NoFile);
    }
    if let Some(refusal) = &received.broken {
        core.metrics.refused(refusal.class().1);
    }
    (origin, received)
}

type Files<'a> = BoxStream<'a, Result<File, Refusal>>;

/// Submits files as they come, some at once, each with its place in the request.
async fn submit_all(core: &Core, files: Result<Files<'_>, Refusal>, origin: &Origin) -> Received<upload::Submitted> {
    let mut received = Received { images: Vec::new(), broken: None };
    let files = match files {
        Ok(files) => files,
        Err(refusal) => return Received { broken: Some(refusal), ..received },
    };
    let placed = files.enumerate().map(|(place, file)| file.map(|file| (place, file)));
    // Boxed: the list of those under way takes the room of one more.
    let submitted = placed.map_ok(|(place, file)| Box::pin(async move { Ok(submit(core, file, origin, place).await) }));
    let mut submitted = std::pin::pin!(submitted.try_buffered(SUBMITTED_AT_ONCE));
    while let Some(image) = submitted.next().await {
        match image {
            Ok(image) => received.images.push(image),
            Err(refusal) => received.broken = Some(refusal),
        }
    }
    received
}

/// The files of a request: those of a form, or the one that its body is.
fn files<'a>(headers: &'a HeaderMap, query: &'a str, body: &'a mut Body, core: &'a Core, hashed: bool) -> Result<Files<'a>, Refusal> {
    if raw::is_raw(headers) {
        return Ok(stream::once(raw::file(headers, query, body, core, hashed)).boxed());
    }
    Ok(multipart::files(headers, body, core, hashed)?.boxed())
}

fn key(headers: &HeaderMap) -> Result<Option<Key>, Refusal> {
    let mut keys = headers.get_all("idempotency-key").iter();
    match (keys.next(), keys.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(_)) => Err(Refusal::BadKey { reason: "there are two of them" }),
        (Some(key), None) => Key::parse(key.as_bytes()).map(Some).map_err(|reason| Refusal::BadKey { reason }),
    }
}

/// Lets accepted images go on without their uploader.
fn leave(core: &Arc<Core>, images: Vec<upload::Submitted>, origin: &Origin) -> Vec<upload::Image> {
    images.into_iter().map(|submitted| follow(core, submitted, origin)).collect()
}

fn origin(headers: &HeaderMap) -> Origin {
    Origin { at: Instant::now(), trace: spans::parent(headers), key: None }
}
