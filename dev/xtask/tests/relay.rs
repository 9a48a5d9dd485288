//! What passes a relay arrives unchanged, is written down, and fails just where it shall.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use xtask::relay::{Fault, Gate, Point, Recorder, Refusal, Relay, Service, Side, Tap};

/// A relay before a server that keeps what it gets and answers `ok`.
struct Bench {
    relay: Relay,
    gate: Arc<Gate>,
    received: Arc<Mutex<Vec<String>>>,
    recording: PathBuf,
    _folder: tempfile::TempDir,
}

async fn bench(service: Service) -> Bench {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let received: Arc<Mutex<Vec<String>>> = Arc::default();
    let server = received.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 4096];
            let length = stream.read(&mut bytes).await.unwrap();
            server.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-amz-seen: yes\r\n\r\nok").await.unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("requests.jsonl");
    let gate = Arc::new(Gate::default());
    let tap = Tap { recorder: Some(Recorder::append(&recording).unwrap()), gate: Some(gate.clone()) };
    let relay = Relay::to_aws(service, &endpoint, tap).await.unwrap();
    Bench { relay, gate, received, recording, _folder: folder }
}

impl Bench {
    async fn call(&self) -> reqwest::Result<Response> {
        let request = Client::new().post(format!("{}/queue?a=b%20c", self.relay.url())).header("x-amz-target", "AmazonSQS.SendMessage");
        request.header("user-agent", "aws-sdk-rust/1 app/classifierfleet-gateway").body("Action=RunInstances").send().await
    }

    fn received(&self) -> usize {
        self.received.lock().unwrap().len()
    }

    fn recorded(&self) -> Vec<Value> {
        std::fs::read_to_string(&self.recording).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The next call is struck.
    async fn arm(&self, fault: Fault) {
        self.call().await.unwrap();
        let Point { call, .. } = self.gate.seen().remove(0);
        self.gate.begin();
        self.gate.arm(Point { call, nth: 1 }, fault, 1);
        self.received.lock().unwrap().clear();
    }
}

#[tokio::test]
async fn what_passes_arrives_unchanged_and_is_written_down() {
    let bench = bench(Service::Sqs).await;
    let answer = bench.call().await.unwrap();
    assert_eq!(answer.headers()["x-amz-seen"], "yes");
    assert_eq!(answer.text().await.unwrap(), "ok");
    let received = bench.received.lock().unwrap()[0].clone();
    assert!(received.starts_with("POST /queue?a=b%20c HTTP/1.1\r\n") && received.ends_with("\r\n\r\nAction=RunInstances"), "{received}");
    // SQS makes the URLs of queues from the host that it is called by.
    assert!(received.contains(&format!("host: {}\r\n", bench.relay.url().trim_start_matches("http://"))), "{received}");
    let recorded = &bench.recorded()[0];
    let expected = [
        ("service", json!("sqs")),
        ("program", json!("classifierfleet-gateway")),
        ("query", json!("a=b%20c")),
        ("body", json!("Action=RunInstances")),
        ("status", json!(200)),
        ("answer", json!("ok")),
    ];
    for (name, value) in expected {
        assert_eq!(recorded[name], value);
    }
    assert_eq!(recorded["headers"]["x-amz-target"], "AmazonSQS.SendMessage");
}

#[tokio::test]
async fn a_lost_call_breaks_off_before_or_after_it_was_done() {
    for (side, done) in [(Side::Before, 0), (Side::After, 1)] {
        let bench = bench(Service::Sqs).await;
        bench.arm(Fault::Lost(side)).await;
        assert!(bench.call().await.is_err());
        assert_eq!(bench.received(), done);
        assert_eq!(bench.recorded()[1]["status"].is_null(), done == 0);
        assert_eq!(bench.call().await.unwrap().text().await.unwrap(), "ok");
    }
}

#[tokio::test]
async fn after_a_call_that_hangs_none_passes_until_the_gate_is_opened() {
    let bench = bench(Service::Ec2).await;
    bench.arm(Fault::Hang(Side::After)).await;
    let patience = Duration::from_millis(300);
    assert!(tokio::time::timeout(patience, bench.call()).await.is_err());
    bench.gate.shut().await;
    assert!(tokio::time::timeout(patience, bench.call()).await.is_err());
    assert_eq!(bench.received(), 1);
    bench.gate.open();
    assert!(bench.call().await.is_ok());
}

#[tokio::test]
async fn refusals_are_in_the_words_of_the_service() {
    let table = [
        (Service::Ec2, Refusal::Throttled, 503, "<Code>RequestLimitExceeded</Code>"),
        (Service::Ec2, Refusal::NoCapacity, 500, "<Code>InsufficientInstanceCapacity</Code>"),
        (Service::S3, Refusal::Throttled, 503, "<Code>SlowDown</Code>"),
        (Service::Sqs, Refusal::Throttled, 400, "RequestThrottled"),
        (Service::Sqs, Refusal::Internal, 500, "InternalError"),
    ];
    for (service, refusal, status, word) in table {
        let bench = bench(service).await;
        bench.arm(Fault::Refused(refusal)).await;
        let answer = bench.call().await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(answer.text().await.unwrap().contains(word));
        assert_eq!(bench.received(), 0);
    }
}
