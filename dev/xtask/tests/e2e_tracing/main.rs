//! One upload is one trace, from the client's request over SQS to the worker's answer, in a real OpenTelemetry Collector; and none of
//! it is ever in an upload's way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/cluster.rs"]
mod cluster;
mod collector;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster::{Cluster, small};
use collector::{Collector, Span};
use reqwest::Client;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use support::until;
use uuid::Uuid;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::relay::{Call, Fault, Gate, Point, Refusal, Relay, Service, Tap};
use xtask::stack::{CloudDelays, Endpoints, Extent, OperatorOptions, Stack};

const NAME: &str = "traced";
/// Spans are to leave at once, not after the 5 s that are the SDK's default.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "200");

/// Kinds of spans, as OTLP numbers them.
const SERVER: u64 = 2;
const CLIENT: u64 = 3;
const PRODUCER: u64 = 4;
const CONSUMER: u64 = 5;
const ERROR: u64 = 2;

struct World {
    stack: Stack,
    collector: Collector,
    /// What stands before S3.
    gate: Arc<Gate>,
    _relay: Relay,
    gateway: String,
}

/// An answer to an upload.
struct Answer {
    id: String,
    /// What the gateway says of the trace.
    traceparent: String,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn an_upload_is_one_trace_from_the_client_to_the_result() {
    let paths = Paths::discover().unwrap();
    let program = xtask::tools::collector(&paths, Progress::quiet()).await;
    let Some(program) = support::or_skip("tracing", program) else { return };
    let mut world = World::start(program).await;
    let told = world.the_client_s_trace_goes_on().await;
    world.logs_name_the_trace(&told).await;
    let untold = world.who_does_not_ask_is_not_traced().await;
    world.each_try_is_a_span().await;
    world.a_collector_that_is_away_is_in_nobody_s_way().await;
    for trace in untold {
        assert!(world.collector.trace(&trace).is_empty(), "later ones came");
    }
    world.the_operator_s_calls_belong_to_its_reconciles().await;
    world.stack.stop().await.unwrap();
}

impl World {
    async fn start(program: std::path::PathBuf) -> Self {
        let stack = Stack::for_test("tracing", |options| {
            options.extent = Extent::Aws;
            options.delays = CloudDelays { pending: 0.2, boot: 0.2, describe_lag: 0.2 };
        });
        let (stack, gate) = (stack.await.unwrap(), Arc::new(Gate::default()));
        let collector = Collector::start(program, stack.dir()).await;
        let endpoints = stack.endpoints().unwrap().clone();
        let relay = Relay::to_aws(Service::S3, &endpoints.s3, Tap { gate: Some(gate.clone()), recorder: None }).await.unwrap();
        stack.define_fleets().await.unwrap();
        let env =
            [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url().as_str()), AT_ONCE].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let endpoints = Endpoints { s3: relay.url(), ..endpoints };
        let operator = OperatorOptions { endpoints, env: env.to_vec(), ..stack.operator_options("operator").unwrap() };
        stack.spawn_operator_with(&operator).await.unwrap();
        let cluster = Cluster::of(&stack).await;
        cluster.create("classifierfleets", "default", &fleet(&collector.url())).await;
        let gateway = cluster.gateway_url("default", &format!("{NAME}-gateway-0")).await;
        cluster.fleet("default", NAME, "its worker is ready", |fleet| fleet["status"]["workers"]["ready"] == 1).await;
        Self { stack, collector, gate, _relay: relay, gateway }
    }

    async fn upload(&self, headers: &[(&str, &str)]) -> Answer {
        let photo = support::photos(&self.stack).swap_remove(0);
        let form = Form::new().part("file", Part::bytes(photo.bytes).file_name("photo.jpg"));
        let request = Client::new().post(format!("{}/upload", self.gateway)).header("accept", "application/json").multipart(form);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let traceparent = response.headers()["traceparent"].to_str().unwrap().to_owned();
        let (status, body) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        Answer { id: body["id"].as_str().unwrap().to_owned(), traceparent }
    }

    /// Uploads in a trace that the client began; returns the trace's id and the answer.
    async fn upload_traced(&self) -> (String, Answer) {
        let trace = Uuid::new_v4().simple().to_string();
        let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
        let answer = self.upload(&[("traceparent", &traceparent), ("tracestate", "vendor=1")]).await;
        (trace, answer)
    }

    /// Waits for so many tries of a trace's job, which are the last of its spans to end.
    async fn tries(&self, trace: &str, tries: usize) -> Vec<Span> {
        let is_try = |span: &Span| span.trace == trace && span.name == format!("process {NAME}-requests");
        let what = format!("{tries} tries of the job of trace {trace}");
        until(&what, async || {
            let answered = self.collector.all(|span| span.trace == trace && span.kind == SERVER).len() == 1;
            answered && self.collector.all(is_try).len() == tries
        })
        .await;
        let mut found = self.collector.all(is_try);
        found.sort_by_key(|span| span.attributes["classifierfleet.receives"].clone());
        found
    }

    async fn the_client_s_trace_goes_on(&self) -> (String, Answer) {
        let (trace, answer) = self.upload_traced().await;
        self.tries(&trace, 1).await;
        until("all spans of the upload came", async || self.collector.trace(&trace).len() >= expected().len()).await;
        let spans = self.collector.trace(&trace);
        assert_eq!(shape(&spans), expected(), "{spans:#?}");
        let server = named(&spans, "POST /upload");
        assert_eq!((server.parent.as_str(), server.kind), ("00f067aa0ba902b7", SERVER));
        assert_eq!(answer.traceparent, format!("00-{trace}-{}-01", server.id));
        let attributes = |span: &Span, names: &[&str]| names.iter().map(|name| span.attributes[*name].clone()).collect::<Vec<_>>();
        let http = ["http.request.method", "http.route", "url.path", "url.scheme", "http.response.status_code"];
        assert_eq!(attributes(&server, &http), ["POST", "/upload", "/upload", "http", "200"]);
        let messaging = ["messaging.system", "messaging.destination.name", "messaging.operation.type", "messaging.message.conversation_id"];
        let (send, process) = (named(&spans, "send traced-requests"), named(&spans, "process traced-requests"));
        assert_eq!(
            (send.kind, attributes(&send, &messaging)),
            (PRODUCER, vec!["aws_sqs".into(), format!("{NAME}-requests"), "send".into(), answer.id.clone()])
        );
        assert_eq!(
            (process.kind, attributes(&process, &messaging)),
            (CONSUMER, vec!["aws_sqs".into(), format!("{NAME}-requests"), "process".into(), answer.id.clone()])
        );
        assert_eq!((process.state.as_str(), process.status), ("vendor=1", 0));
        assert_eq!(process.attributes["classifierfleet.ending"], "done");
        assert_eq!(named(&spans, "S3.GetObject").kind, CLIENT);
        assert!(spans.iter().all(|span| span.resource["classifierfleet.fleet"] == NAME && span.resource.contains_key("service.version")));
        (trace, answer)
    }

    async fn logs_name_the_trace(&self, (trace, answer): &(String, Answer)) {
        let machines = std::fs::read_dir(self.stack.dir().join("state/cloudsim")).unwrap().flatten();
        let consoles: String = machines.filter_map(|machine| std::fs::read_to_string(machine.path().join("console.log")).ok()).collect();
        let mut lines = consoles.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["message"] == "classified" && line["job"] == answer.id).unwrap();
        let process = named(&self.collector.trace(trace), "process traced-requests");
        assert_eq!((line["trace_id"].as_str(), line["span_id"].as_str()), (Some(trace.as_str()), Some(process.id.as_str())));
    }

    /// The fleet's own share is none: only clients decide. Returns the traces that shall not be.
    async fn who_does_not_ask_is_not_traced(&self) -> Vec<String> {
        let unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
        let invalid = "00-0af7651916cd43dd8448eb211c80319X-b7ad6b7169203331-01";
        let mut traces = Vec::new();
        for headers in [&[][..], &[("traceparent", unsampled)], &[("traceparent", invalid)]] {
            let traceparent = self.upload(headers).await.traceparent;
            assert!(traceparent.ends_with("-00"), "{traceparent}");
            traces.push(traceparent[3..35].to_owned());
        }
        assert_eq!(traces[1], unsampled[3..35]);
        assert_ne!(traces[2].to_lowercase(), invalid[3..35].to_lowercase(), "a new one, as if there had been none");
        traces
    }

    async fn each_try_is_a_span(&self) {
        self.gate.begin();
        // The first is the image's; the SDK tries three times to write the result.
        self.gate.arm(Point { call: Call::named("s3:PUT object"), nth: 2 }, Fault::Refused(Refusal::Internal), 3);
        let (trace, _) = self.upload_traced().await;
        assert!(self.gate.disarm());
        let tries = self.tries(&trace, 2).await;
        let spans = self.collector.trace(&trace);
        let send = named(&spans, "send traced-requests");
        assert!(tries.iter().all(|span| span.parent == send.id));
        let told = tries.iter().map(|span| {
            (span.attributes["classifierfleet.receives"].as_str(), span.attributes["classifierfleet.ending"].as_str(), span.status)
        });
        assert_eq!(told.collect::<Vec<_>>(), [("1", "failed", ERROR), ("2", "done", 0)]);
        let failed: Vec<_> = spans.iter().filter(|span| span.name == "S3.PutObject" && span.status == ERROR).collect();
        assert_eq!(failed.len(), 1, "one call of three tries");
        assert_eq!(failed[0].attributes["error.type"], "500");
    }

    /// What is said of it, is said once.
    async fn a_collector_that_is_away_is_in_nobody_s_way(&mut self) {
        let log = self.stack.log(&format!("pod-default-{NAME}-gateway-0"));
        let said = |what: &str| std::fs::read_to_string(&log).unwrap().matches(what).count();
        let (away, back) = ("spans cannot be exported", "spans are exported again");
        self.collector.kill().await;
        for _ in 0..3 {
            self.upload_traced().await;
        }
        until("the gateway says that there is no collector", async || said(away) == 1).await;
        self.upload_traced().await;
        self.collector.restart().await;
        let (trace, _) = self.upload_traced().await;
        self.tries(&trace, 1).await;
        until("the gateway says that the collector is back", async || said(back) == 1).await;
        assert_eq!(said(away), 1);
    }

    async fn the_operator_s_calls_belong_to_its_reconciles(&self) {
        let of_operator = self.collector.all(|span| span.resource["service.name"] == "classifierfleet-operator");
        assert!(of_operator.iter().any(|span| span.attributes.get("classifierfleet.fleet").is_some_and(|fleet| fleet == NAME)));
        for call in ["EC2.RunInstances", "SQS.GetQueueAttributes"] {
            let made: Vec<_> = of_operator.iter().filter(|span| span.name == call).collect();
            // A reconcile ends after its calls, and may not be here yet.
            let reconcile = |call: &Span| of_operator.iter().find(|span| span.id == call.parent && span.name == "reconcile");
            assert!(made.iter().any(|call| reconcile(call).is_some()), "{call}: {made:#?}");
            assert!(made.iter().all(|call| !call.parent.is_empty()), "{call}: {made:#?}");
        }
    }
}

fn fleet(endpoint: &str) -> Value {
    let (name, value) = AT_ONCE;
    small(
        NAME,
        &json!({
            "tracing": {"otlpEndpoint": endpoint, "samplingRatio": 0},
            "storage": {"inlineBytes": 0},
            "workers": {"min": 1, "template": {"userData": format!("echo '{name}=\"{value}\"' >>\"$fleet_run/worker.env\"")}},
            "gateway": {
                "replicas": 1,
                "podTemplate": {"spec": {"containers": [{"name": "gateway", "env": [{"name": name, "value": value}]}]}},
            },
        }),
    )
}

fn named(spans: &[Span], name: &str) -> Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next().unwrap_or_else(|| panic!("{name} is not among {spans:#?}")).clone();
    assert!(found.next().is_none(), "{name} is there twice");
    span
}

/// Service, name, and the parent's name, of each span.
fn shape(spans: &[Span]) -> BTreeSet<(String, String, String)> {
    let parent = |id: &str| spans.iter().find(|span| span.id == id).map_or("the client's", |span| span.name.as_str()).to_owned();
    spans.iter().map(|span| (span.resource["service.name"].clone(), span.name.clone(), parent(&span.parent))).collect()
}

fn expected() -> BTreeSet<(String, String, String)> {
    let gateway = [
        ("POST /upload", "the client's"),
        ("S3.PutObject", "POST /upload"),
        ("send traced-requests", "POST /upload"),
        ("wait for result", "POST /upload"),
    ];
    let worker = [
        ("process traced-requests", "send traced-requests"),
        ("fetch", "process traced-requests"),
        ("S3.GetObject", "fetch"),
        ("decode", "process traced-requests"),
        ("infer", "process traced-requests"),
        ("store", "process traced-requests"),
        ("S3.PutObject", "store"),
        ("send traced-responses-0", "process traced-requests"),
        ("settle traced-requests", "process traced-requests"),
    ];
    let of = |service: &'static str| move |(name, parent): (&str, &str)| (service.to_owned(), name.to_owned(), parent.to_owned());
    gateway.into_iter().map(of("classifierfleet-gateway")).chain(worker.into_iter().map(of("classifierfleet-worker"))).collect()
}
