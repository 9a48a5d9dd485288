//! A real OpenTelemetry Collector, and what it passed on. Knows nothing of what is traced.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::support::until;

/// A span as the collector passed it on.
#[derive(Debug, Clone)]
pub struct Span {
    pub resource: BTreeMap<String, String>,
    pub trace: String,
    pub id: String,
    /// Empty: it has none.
    pub parent: String,
    pub state: String,
    pub name: String,
    pub kind: u64,
    /// 2: an error.
    pub status: u64,
    pub attributes: BTreeMap<String, String>,
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// The collector, until it is dropped or killed.
pub struct Collector {
    program: PathBuf,
    config: PathBuf,
    address: SocketAddr,
    spans: Spans,
    process: Child,
}

impl Collector {
    /// Starts it with its files in `folder`.
    pub async fn start(program: PathBuf, folder: &Path) -> Self {
        let (spans, sink) = (Spans::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let config = folder.join("collector.yaml");
        let behind = sink.local_addr().unwrap();
        tokio::spawn(collect(sink, spans.clone()));
        let text = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{address}'}}}}}}}}\n\
             exporters: {{otlp_http: {{endpoint: 'http://{behind}', encoding: json, compression: none}}}}\n\
             service: {{telemetry: {{metrics: {{level: none}}}}, pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}}}\n"
        );
        std::fs::write(&config, text).unwrap();
        let process = run(&program, &config);
        let collector = Self { program, config, address, spans, process };
        collector.ready().await;
        collector
    }

    /// Where spans are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of a trace, so far.
    pub fn trace(&self, trace: &str) -> Vec<Span> {
        self.all(|span| span.trace == trace)
    }

    /// All such spans, so far.
    pub fn all(&self, wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        self.spans.lock().unwrap().iter().filter(|span| wanted(span)).cloned().collect()
    }

    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Starts it again where it was.
    pub async fn restart(&mut self) {
        self.process = run(&self.program, &self.config);
        self.ready().await;
    }

    async fn ready(&self) {
        let connected = async || tokio::net::TcpStream::connect(self.address).await.is_ok();
        until("the collector listens", connected).await;
    }
}

fn run(program: &Path, config: &Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(config.with_extension("log")).unwrap();
    Command::new(program).arg("--config").arg(config).stderr(log).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

async fn collect(listener: TcpListener, spans: Spans) {
    while let Ok((stream, _)) = listener.accept().await {
        let spans = spans.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let spans = spans.clone();
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                spans.lock().unwrap().extend(read(&serde_json::from_slice(&body).unwrap()));
                let answer = Response::builder().header("content-type", "application/json").body(Full::new(Bytes::from_static(b"{}")));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

/// The spans of a request in OTLP's JSON.
fn read(request: &Value) -> Vec<Span> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let of_resource = |resource: Value| {
        let attributes = attributes(&resource["resource"]);
        let spans = list(&resource, "scopeSpans").into_iter().flat_map(|scope| list(&scope, "spans")).collect::<Vec<_>>();
        spans.into_iter().map(move |json| span(&json, attributes.clone())).collect::<Vec<_>>()
    };
    list(request, "resourceSpans").into_iter().flat_map(of_resource).collect()
}

fn span(json: &Value, resource: BTreeMap<String, String>) -> Span {
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    Span {
        resource,
        trace: text("traceId"),
        id: text("spanId"),
        parent: text("parentSpanId"),
        state: text("traceState"),
        name: text("name"),
        kind: json["kind"].as_u64().unwrap_or_default(),
        status: json["status"]["code"].as_u64().unwrap_or_default(),
        attributes: attributes(json),
    }
}

/// Each as a text, whatever its type.
fn attributes(of: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_object().and_then(|value| value.values().next()).map(|value| value.to_string().replace('"', ""));
    let all = of["attributes"].as_array().into_iter().flatten();
    all.map(|pair| (pair["key"].as_str().unwrap().to_owned(), text(&pair["value"]).unwrap_or_default())).collect()
}
