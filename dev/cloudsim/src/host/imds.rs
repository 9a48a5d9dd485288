//! Owns the HTTP side of one machine's metadata service. What is answered is decided in `metadata`.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use warp::Filter;
use warp::http::{HeaderMap, Method, Response};
use warp::path::FullPath;

use super::{SERVER_GRACE, Shared};
use crate::metadata::{self, Sessions};

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// A metadata service on a loopback port of its own.
#[derive(Debug)]
pub(super) struct MetadataServer {
    /// Ends with a slash, as the real endpoint's usual spelling does.
    pub(super) url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl MetadataServer {
    /// Starts the service of one instance.
    ///
    /// # Errors
    /// No free port.
    pub(super) async fn start(instance_id: &str, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let id: Arc<str> = instance_id.into();
        let sessions = Arc::new(Mutex::new(Sessions::default()));
        let routes = warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).then(
            move |method: Method, path: FullPath, headers: HeaderMap| {
                let answer = answer(&id, &shared, &sessions, &method, &path, &headers);
                async move { answer }
            },
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let served = warp::serve(routes).incoming(listener).graceful(async {
            let _ = stopped.await;
        });
        Ok(Self { url, stop, task: tokio::spawn(served.run()) })
    }

    /// Stops answering.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let abort = self.task.abort_handle();
        if tokio::time::timeout(SERVER_GRACE, self.task).await.is_err() {
            abort.abort();
        }
    }
}

fn answer(
    id: &str,
    shared: &Shared,
    sessions: &Mutex<Sessions>,
    method: &Method,
    path: &FullPath,
    headers: &HeaderMap,
) -> Result<Response<String>, Infallible> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let request = metadata::Request {
        method: method.as_str(),
        path: path.as_str(),
        token: header(TOKEN),
        ttl: header(TTL),
        forwarded: headers.contains_key("x-forwarded-for"),
    };
    let endpoint = shared.lock();
    let mut response = Response::new(String::new());
    let Some(instance) = endpoint.cloud.instance(id) else {
        *response.status_mut() = warp::http::StatusCode::NOT_FOUND;
        return Ok(response);
    };
    let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = uuid::Uuid::new_v4().simple().to_string();
    let region = &endpoint.cloud.settings().region;
    let metadata::Response { status, body, ttl } = sessions.answer(request, instance, region, fresh, Timestamp::now());
    *response.status_mut() = warp::http::StatusCode::from_u16(status).unwrap_or_default();
    *response.body_mut() = body;
    response.headers_mut().insert("content-type", warp::http::HeaderValue::from_static("text/plain"));
    if let Some(ttl) = ttl {
        response.headers_mut().insert(TTL, ttl.into());
    }
    Ok(response)
}
