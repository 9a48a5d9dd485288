//! HTTP: requests taken apart, answers put together. Knows nothing of how an image is stored, queued or waited for.

mod body;
mod disposition;
mod multipart;
mod problem;
mod response;
mod route;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use warp::Filter;
use warp::http::{HeaderMap, Method, Response};
use warp::path::FullPath;

use self::body::Body;
use self::response::Received;
use self::route::{Route, route};
use crate::answer;
use crate::core::Core;
use crate::lookup::{Known, look_up};
use crate::refusal::Refusal;
use crate::upload::{self, Origin, follow, submit};

/// Files of one request that are stored and queued at once.
const SUBMITTED_AT_ONCE: usize = 8;

/// Longest that `?wait=` may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Serves on `listener` until `shutdown`, then finishes what has begun.
pub(crate) fn serve(core: Arc<Core>, listener: TcpListener, shutdown: CancellationToken) -> impl Future<Output = ()> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let request = warp::method().and(warp::path::full()).and(query).and(warp::header::headers_cloned()).and(warp::body::stream());
    let answers = request.then(move |method, path, query, headers, body| answer(Arc::clone(&core), method, path, query, headers, body));
    warp::serve(answers).incoming(listener).graceful(shutdown.cancelled_owned()).run()
}

async fn answer<S, B>(core: Arc<Core>, method: Method, path: FullPath, query: String, headers: HeaderMap, body: S) -> Response<String>
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    let body = Body::new(body, &headers, core.metrics.received.clone());
    let path = path.as_str();
    let refusal = match route(&method, path) {
        Route::Upload => return classify(&core, &headers, body).await,
        Route::Submit => return accept(&core, &headers, body).await,
        Route::Image(id) => image(&core, id, &query).await,
        Route::NoSuchPath => Err(Refusal::NoSuchPath { path: path.to_owned() }),
        Route::MethodNotAllowed(allow) => Err(Refusal::MethodNotAllowed { method: method.to_string(), allow }),
    };
    body.discard(&core.tasks);
    refusal.unwrap_or_else(|refusal| problem::response(&refusal, Vec::new()))
}

/// `POST /upload` and the like: waits for the labels. A body that breaks off is answered without waiting.
async fn classify(core: &Arc<Core>, headers: &HeaderMap, body: Body) -> Response<String> {
    let origin = origin(headers);
    let Received { images, broken } = receive(core, headers, body, &origin).await;
    let images = match broken {
        None => futures::future::join_all(images.into_iter().map(|image| image.result(core, &origin))).await,
        Some(_) => leave(core, images, &origin),
    };
    response::labels(&Received { images, broken }, response::format(headers, core.settings.response_format))
}

/// `POST /v1/images`: says the ids.
async fn accept(core: &Arc<Core>, headers: &HeaderMap, body: Body) -> Response<String> {
    let origin = origin(headers);
    let Received { images, broken } = receive(core, headers, body, &origin).await;
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
    let parameters: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let Some((_, wait)) = parameters.into_iter().find(|(name, _)| name == "wait") else {
        return Ok(Duration::ZERO);
    };
    match wait.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds).min(LONGEST_WAIT)),
        Err(_) => Err(Refusal::BadWait { wait }),
    }
}

/// Takes the files of a request while they come, until its end or until something ends it.
async fn receive(core: &Core, headers: &HeaderMap, mut body: Body, origin: &Origin) -> Received<upload::Submitted> {
    let mut received = Received { images: Vec::new(), broken: None };
    match multipart::files(headers, &mut body, core) {
        Err(refusal) => received.broken = Some(refusal),
        Ok(files) => {
            let submitted = files.map_ok(|file| async { Ok(submit(core, file, origin).await) });
            let mut submitted = std::pin::pin!(submitted.try_buffered(SUBMITTED_AT_ONCE));
            while let Some(image) = submitted.next().await {
                match image {
                    Ok(image) => received.images.push(image),
                    Err(refusal) => received.broken = Some(refusal),
                }
            }
        }
    }
    body.discard(&core.tasks);
    if received.images.is_empty() && received.broken.is_none() {
        received.broken = Some(Refusal::NoFile);
    }
    if let Some(refusal) = &received.broken {
        core.metrics.refused(refusal.class().1);
    }
    received
}

/// Lets accepted images go on without their uploader.
fn leave(core: &Arc<Core>, images: Vec<upload::Submitted>, origin: &Origin) -> Vec<upload::Image> {
    images.into_iter().map(|submitted| follow(core, submitted, origin)).collect()
}

fn origin(headers: &HeaderMap) -> Origin {
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    // The version that is defined has 55 characters; a longer one would make the job too long for its message.
    let traceparent = traceparent.filter(|value| value.len() == 55).map(str::to_owned);
    Origin { at: Instant::now(), traceparent }
}
