//! A server that is all a gateway process speaks to: as much of the Kubernetes API, S3 and SQS as it needs, each of which
//! can be made slow or broken. For what happens while one of them is.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use warp::Filter;
use warp::http::{HeaderMap, Method, Response};
use warp::hyper::body::Bytes;
use warp::path::FullPath;

/// A write of a Lease.
#[derive(Debug, Clone)]
pub struct Patch {
    pub path: String,
    pub query: String,
    pub content_type: String,
    pub lease: Value,
}

/// What it has seen, and how it behaves.
pub struct Fake {
    pub address: SocketAddr,
    /// Every Lease that was accepted.
    patches: Mutex<Vec<Patch>>,
    /// Whether the API server refuses all writes.
    pub refuses: AtomicBool,
    /// While true, S3 does not answer puts.
    pub holds_puts: watch::Sender<bool>,
    /// The fleet that the API server has; null when it has none.
    pub fleet: Mutex<Value>,
    /// How often it was read.
    pub fleet_reads: AtomicU32,
    /// Puts that S3 has answered.
    pub stored: Mutex<u32>,
}

impl Fake {
    /// Serves on a free port until the test ends.
    pub async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            patches: Mutex::default(),
            refuses: AtomicBool::new(false),
            holds_puts: watch::Sender::new(false),
            fleet: Mutex::default(),
            fleet_reads: AtomicU32::default(),
            stored: Mutex::default(),
        });
        let served = Arc::clone(&fake);
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let request = warp::method().and(warp::path::full()).and(query).and(warp::header::headers_cloned()).and(warp::body::bytes());
        let routes = request.then(move |method: Method, path: FullPath, query: String, headers: HeaderMap, body: Bytes| {
            let fake = Arc::clone(&served);
            async move { Ok::<_, Infallible>(fake.answer(&method, path.as_str(), query, &headers, &body).await) }
        });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        fake
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn patches(&self) -> Vec<Patch> {
        self.patches.lock().unwrap().clone()
    }

    /// What the Leases told, one after the other, without mere renewals.
    pub fn told(&self) -> Vec<String> {
        let said = |patch: Patch| patch.lease["metadata"]["annotations"]["classifierfleet.dev/waiting"].as_str().unwrap().to_owned();
        let mut told: Vec<_> = self.patches().into_iter().map(said).collect();
        told.dedup();
        told
    }

    async fn answer(&self, method: &Method, path: &str, query: String, headers: &HeaderMap, body: &[u8]) -> Response<String> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        match (method, path) {
            (&Method::PATCH, path) => {
                let patch = Patch {
                    path: path.to_owned(),
                    query,
                    content_type: header("content-type"),
                    lease: serde_json::from_slice(body).unwrap(),
                };
                self.lease(patch)
            }
            (&Method::POST, "/") => self.sqs(&header("x-amz-target")).await,
            (&Method::PUT, _) => {
                self.holds_puts.subscribe().wait_for(|holds| !holds).await.unwrap();
                *self.stored.lock().unwrap() += 1;
                response(200, String::new())
            }
            (&Method::HEAD, _) => response(200, String::new()),
            (&Method::GET, "/apis/classifierfleet.dev/v1alpha1/namespaces/default/classifierfleets/imagenet") => {
                self.fleet_reads.fetch_add(1, Ordering::Relaxed);
                match self.fleet.lock().unwrap().clone() {
                    Value::Null => {
                        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": "there is none"});
                        response(404, status.to_string())
                    }
                    fleet => response(200, fleet.to_string()),
                }
            }
            _ => response(404, "<Error><Code>NoSuchKey</Code><Message>there is none</Message></Error>".to_owned()),
        }
    }

    fn lease(&self, patch: Patch) -> Response<String> {
        if self.refuses.load(Ordering::Relaxed) {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "leases is forbidden"});
            return response(403, status.to_string());
        }
        let answer = patch.lease.to_string();
        self.patches.lock().unwrap().push(patch);
        response(200, answer)
    }

    async fn sqs(&self, target: &str) -> Response<String> {
        let answer = match target {
            "AmazonSQS.GetQueueUrl" => json!({"QueueUrl": format!("{}/queue", self.url())}),
            "AmazonSQS.SendMessageBatch" => json!({"Successful": [], "Failed": []}),
            "AmazonSQS.ReceiveMessage" => {
                tokio::time::sleep(Duration::from_secs(1)).await;
                json!({})
            }
            _ => json!({}),
        };
        response(200, answer.to_string())
    }
}

fn response(status: u16, body: String) -> Response<String> {
    let kind = if body.starts_with('{') { "application/json" } else { "application/xml" };
    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
}
