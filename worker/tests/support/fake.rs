//! A server that is all a worker process speaks to: as much of instance metadata, EC2, SQS and S3 as it needs. A test sets
//! what the metadata says, hands out a job, and may hold its result back so that the job takes as long as it likes.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use warp::Filter;
use warp::http::{HeaderMap, Method, Response};
use warp::hyper::body::Bytes;
use warp::path::FullPath;

pub const INTENT: &str = "tags/instance/classifierfleet:intent";

/// What it says, and what it was told.
pub struct Fake {
    pub address: SocketAddr,
    /// Metadata by what follows `/latest/meta-data/`.
    metadata: Mutex<BTreeMap<String, String>>,
    /// Value of the intent tag as EC2's API shows it.
    pub ec2_intent: Mutex<Option<String>>,
    /// How many of the next calls EC2 throttles.
    pub throttles: AtomicU32,
    /// Jobs that were not received yet.
    jobs: Mutex<VecDeque<String>>,
    /// The only image there is.
    image: Vec<u8>,
    /// While true, S3 does not answer puts.
    pub holds_results: watch::Sender<bool>,
    /// Every call: `IMDS item`, `EC2 action`, `SQS action body` or `S3 method`.
    calls: Mutex<Vec<String>>,
}

impl Fake {
    /// Serves the metadata of an instance of this type, and jobs about `image`, on a free port until the test ends.
    pub async fn start(instance_type: &str, image: Vec<u8>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let metadata = [
            ("instance-id", "i-0123456789abcdef0"),
            ("instance-type", instance_type),
            ("tags/instance/classifierfleet:token", "launch-7"),
            ("placement/region", "us-east-1"),
        ];
        let fake = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            metadata: Mutex::new(metadata.map(|(item, value)| (item.to_owned(), value.to_owned())).into()),
            ec2_intent: Mutex::default(),
            throttles: AtomicU32::new(0),
            jobs: Mutex::default(),
            image,
            holds_results: watch::Sender::new(false),
            calls: Mutex::default(),
        });
        let served = Arc::clone(&fake);
        let request = warp::method().and(warp::path::full()).and(warp::header::headers_cloned()).and(warp::body::bytes());
        let routes = request.then(move |method: Method, path: FullPath, headers: HeaderMap, body: Bytes| {
            let fake = Arc::clone(&served);
            async move { Ok::<_, Infallible>(fake.answer(&method, path.as_str(), &headers, &body).await) }
        });
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        fake
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What the metadata says of `item` from now on.
    pub fn set(&self, item: &str, value: &str) {
        self.metadata.lock().unwrap().insert(item.to_owned(), value.to_owned());
    }

    /// What the metadata said of `item`, it says no more.
    pub fn unset(&self, item: &str) {
        self.metadata.lock().unwrap().remove(item);
    }

    pub fn submit(&self, message: String) {
        self.jobs.lock().unwrap().push_back(message);
    }

    /// How many calls contain each of `parts`.
    pub fn calls(&self, parts: &[&str]) -> usize {
        self.calls.lock().unwrap().iter().filter(|call| parts.iter().all(|part| call.contains(part))).count()
    }

    async fn answer(&self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Response<Vec<u8>> {
        let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).and_then(|value| value.split('.').nth(1));
        let text = String::from_utf8_lossy(body).into_owned();
        match (method, path, target) {
            (&Method::PUT, "/latest/api/token", _) => token(),
            (&Method::GET, path, _) if path.starts_with("/latest/meta-data/") => self.imds(&path["/latest/meta-data/".len()..]),
            (&Method::POST, "/", Some(action)) => self.sqs(action, &text).await,
            (&Method::POST, "/", None) => self.ec2(&text),
            (&Method::GET, _, _) => response(200, self.image.clone()),
            (&Method::HEAD, _, _) => response(200, Vec::new()),
            _ => {
                self.note(format!("S3 {method}"));
                self.holds_results.subscribe().wait_for(|holds| !holds).await.unwrap();
                self.note(format!("S3 {method} done"));
                response(200, Vec::new())
            }
        }
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn imds(&self, item: &str) -> Response<Vec<u8>> {
        self.note(format!("IMDS {item}"));
        match self.metadata.lock().unwrap().get(item) {
            Some(value) => response(200, value.clone()),
            None => response(404, Vec::new()),
        }
    }

    async fn sqs(&self, action: &str, body: &str) -> Response<Vec<u8>> {
        self.note(format!("SQS {action} {body}"));
        let answer = match action {
            "GetQueueUrl" => json!({"QueueUrl": format!("{}/queue", self.url())}),
            "ReceiveMessage" => self.receive().await,
            "SendMessage" => json!({"MessageId": "m-2"}),
            _ => json!({}),
        };
        response(200, answer.to_string())
    }

    async fn receive(&self) -> Value {
        let job = self.jobs.lock().unwrap().pop_front();
        if let Some(job) = job {
            return json!({"Messages": [{"MessageId": "m-1", "ReceiptHandle": "r-1", "Body": job, "Attributes": {"ApproximateReceiveCount": "1"}}]});
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        json!({})
    }

    fn ec2(&self, body: &str) -> Response<Vec<u8>> {
        self.note(format!("EC2 {body}"));
        if self.throttles.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return response(
                503,
                xml("Response", "<Errors><Error><Code>RequestLimitExceeded</Code><Message>slower</Message></Error></Errors>"),
            );
        }
        let action = body.split('&').find_map(|field| field.strip_prefix("Action=")).unwrap();
        let inside = match action {
            "CreateTags" => "<return>true</return>".to_owned(),
            "DescribeInstances" => self.instances(),
            action => panic!("{action} is no call of a worker"),
        };
        response(200, xml(&format!("{action}Response"), &inside))
    }

    fn instances(&self) -> String {
        let intent = self.ec2_intent.lock().unwrap().clone().unwrap_or_default();
        format!(
            "<reservationSet><item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId>\
             <instanceState><code>16</code><name>running</name></instanceState><launchTime>2026-11-22T08:22:00.000Z</launchTime>\
             <tagSet><item><key>classifierfleet:intent</key><value>{intent}</value></item></tagSet>\
             </item></instancesSet></item></reservationSet>"
        )
    }
}

fn xml(name: &str, inside: &str) -> String {
    format!("<{name} xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">{inside}<requestId>r</requestId></{name}>")
}

fn token() -> Response<Vec<u8>> {
    let mut response = response(200, "token");
    response.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", 21_600.into());
    response
}

fn response(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    Response::builder().status(status).body(body.into()).unwrap()
}
