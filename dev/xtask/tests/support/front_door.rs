//! One address for SQS, S3 and EC2, as stand-ins and proxies have it that `spec.endpointUrl` is for: passes each request on to
//! the service that its signature names, and remembers the regions that were asked.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use xtask::stack::Endpoints;

/// The door; it closes when it is dropped.
pub struct FrontDoor {
    url: String,
    hall: Arc<Hall>,
    server: AbortHandle,
}

struct Hall {
    http: reqwest::Client,
    behind: Endpoints,
    /// Services and the regions that they were asked in.
    asked: Mutex<BTreeSet<(String, String)>>,
}

impl FrontDoor {
    pub async fn open(behind: Endpoints) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hall = Arc::new(Hall { http: reqwest::Client::new(), behind, asked: Mutex::default() });
        let server = tokio::spawn(serve(listener, hall.clone())).abort_handle();
        Self { url, hall, server }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Services and the regions that they were asked in.
    pub fn asked(&self) -> BTreeSet<(String, String)> {
        self.hall.asked.lock().unwrap().clone()
    }
}

impl Drop for FrontDoor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, hall: Arc<Hall>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let hall = hall.clone();
                let service = service_fn(move |request| { let hall = hall.clone(); async move { Ok::<_, Infallible>(hall.pass(request).await) } });
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Hall {
    async fn pass(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Some((region, service)) = scope(&parts.headers) else { return refusal("the request is not signed") };
        let behind = match service.as_str() {
            "sqs" => &self.behind.sqs,
            "s3" => &self.behind.s3,
            "ec2" => &self.behind.ec2,
            other => return refusal(&format!("there is no {other} here")),
        };
        self.asked.lock().unwrap().insert((service, region));
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let Ok(body) = body.collect().await else { return refusal("the request broke off") };
        // The client's Host stays: SQS makes the URLs of queues from it.
        let request = self.http.request(parts.method, format!("{behind}{path}")).headers(unframed(parts.headers)).body(body.to_bytes());
        match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), unframed(answer.headers().clone()));
                let mut response = Response::new(Full::new(answer.bytes().await.unwrap_or_default()));
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                response
            }
            Err(error) => refusal(&error.to_string()),
        }
    }
}

/// Region and service of `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(headers: &HeaderMap) -> Option<(String, String)> {
    let signature = headers.get("authorization")?.to_str().ok()?;
    let mut scope = signature.split_once("Credential=")?.1.split('/').skip(2);
    Some((scope.next()?.to_owned(), scope.next()?.to_owned()))
}

/// How a message is cut into pieces is up to each connection.
fn unframed(mut headers: HeaderMap) -> HeaderMap {
    for name in ["transfer-encoding", "connection", "content-length", "expect"] {
        headers.remove(name);
    }
    headers
}

fn refusal(why: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(why.to_owned())));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
