//! A gateway in this process, with or without AWS behind it, and clients to ask it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod fake;
pub mod process;
pub mod stack;

use std::net::SocketAddr;
use std::time::Duration;

use aws_config::SdkConfig;
use gateway::{Gateway, KeyStyle, ResponseFormat, RunError, Settings, Transport};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A running gateway.
pub struct Running {
    pub address: SocketAddr,
    pub monitor: SocketAddr,
    pub shutdown: CancellationToken,
    pub ended: JoinHandle<Result<(), RunError>>,
}

pub fn settings() -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        monitor_listen: ([127, 0, 0, 1], 0).into(),
        namespace: "default".to_owned(),
        fleet: "imagenet".to_owned(),
        request_queue: "requests".to_owned(),
        reply_queue: "responses-0".to_owned(),
        input_bucket: "in".to_owned(),
        output_bucket: "out".to_owned(),
        response_format: ResponseFormat::Label,
        max_upload_bytes: 10_485_760,
        inline_bytes: 0,
        max_message_bytes: 262_144,
        max_files: 300,
        max_pending: 1000,
        max_buffered_bytes: 16 << 20,
        max_event_streams: 256,
        spool_dir: None,
        max_spool_bytes: 1 << 30,
        request_timeout_seconds: 120,
        drain_timeout_seconds: 20,
        cache_entries: 0,
        cache_ttl_seconds: 3600,
        key_style: KeyStyle::Id,
        wake_lease: None,
        owner: None,
        pod_name: None,
        transport: Transport {
            max_connections: 1000,
            header_timeout_seconds: 10,
            idle_timeout_seconds: 75,
            shutdown_delay_seconds: 0,
            tls_dir: None,
            token_file: None,
            cors_origins: Vec::new(),
        },
    }
}

/// A gateway whose AWS refuses every connection.
pub async fn without_aws(settings: Settings) -> Running {
    start(settings, &unreachable_aws().await).await
}

pub async fn unreachable_aws() -> SdkConfig {
    let credentials = aws_credential_types::Credentials::from_keys("test", "test", None);
    aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region("us-east-1")
        .credentials_provider(credentials)
        .endpoint_url("http://127.0.0.1:1")
        .load()
        .await
}

pub async fn start(settings: Settings, aws: &SdkConfig) -> Running {
    let shutdown = CancellationToken::new();
    let gateway = Gateway::bind(settings, aws, shutdown.clone()).await.unwrap();
    let (address, monitor) = (gateway.address(), gateway.monitor_address());
    Running { address, monitor, shutdown, ended: tokio::spawn(gateway.run()) }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn post(&self, path: &str, form: Form) -> RequestBuilder {
        client().post(self.url(path)).multipart(form)
    }

    pub async fn get(&self, path: &str) -> Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    /// The JSON of an answer that is 200.
    pub async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        let status = response.status().as_u16();
        let body = response.json().await.unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub async fn monitored(&self, path: &str) -> Response {
        client().get(format!("http://{}{path}", self.monitor)).send().await.unwrap()
    }

    /// Asks until the monitor answers `path` with something that holds.
    pub async fn until(&self, path: &str, holds: impl Fn(u16, &str) -> bool) {
        let mut last = String::new();
        for _ in 0..1200 {
            let response = self.monitored(path).await;
            let (status, body) = (response.status().as_u16(), response.text().await.unwrap());
            if holds(status, &body) {
                return;
            }
            last = body;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} never came to be as expected: {last}");
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.ended.await.unwrap().unwrap();
    }
}

/// Asks again until it holds.
pub async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..1200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} never came");
}

/// A client of its own, so that its connection is a new one.
pub fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Bytes that pass for a JPEG and say what the fake worker is to answer.
pub fn image(label: &str) -> Vec<u8> {
    [b"\xFF\xD8\xFF\xE0".as_slice(), label.as_bytes()].concat()
}

/// The one image of an answer to `POST /v1/images`.
pub async fn accepted(response: Response) -> Value {
    let status = response.status().as_u16();
    let mut body: Value = response.json().await.unwrap();
    assert_eq!((status, body["images"].as_array().map(Vec::len)), (202, Some(1)), "{body}");
    body["images"][0].take()
}

/// One file without a Content-Type of its own, as the existing clients send it.
pub fn one(field: &str, name: &str, bytes: Vec<u8>) -> Form {
    Form::new().part(field.to_owned(), Part::bytes(bytes).file_name(name.to_owned()))
}

/// Asserts status and media type of a problem and returns it.
pub async fn problem(response: Response, status: u16, name: &str) -> Value {
    let found = response.status().as_u16();
    let media_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{problem}");
    assert_eq!(media_type, "application/problem+json");
    assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &format!("tag:classifierfleet.dev,2026:{name}").into()));
    assert!(problem["title"].is_string() && problem["detail"].as_str().unwrap().len() > 10, "{problem}");
    problem
}
