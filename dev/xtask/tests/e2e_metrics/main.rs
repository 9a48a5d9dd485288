//! Metrics, dashboards and alerts: a real Prometheus watches a stack at work, and then one with faults.
//! With CLASSIFIERFLEET_WRITE_IMAGES set it also draws what the dashboards showed, into docs/images.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dashboards;
mod rules;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use dashboards::{Dashboard, has_data};
use futures::future::join_all;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use server::{Server, Targets, lint};
use support::{arm, classify, fleet, instances, or_skip, photos, until, upload};
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::stack::Stack;
use xtask::tools::{self, Prometheus};

const FOLDER: &str = "dev/xtask/tests/e2e_metrics";
const RULES: &str = "charts/classifier-fleet/rules/classifier-fleet.yaml";
const DASHBOARDS: [&str; 2] = ["overview", "fleet"];
/// Enough for as many workers as the fleet may have.
const BURST: usize = 400;
const BURSTS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn dashboards_show_a_fleet_at_work_and_alerts_tell_what_is_wrong() {
    let paths = Paths::discover().unwrap();
    let Some(program) = prometheus(&paths).await else { return };
    let prices = format!("--price-file={}", paths.root.join(FOLDER).join("prices.yaml").display());
    let stack = Stack::for_test("metrics", |options| {
        options.fleet = Path::new(FOLDER).join("fleet.yaml");
        options.operator_args = vec![prices, "--offering-closed-seconds=5".to_owned()];
    });
    let stack = stack.await.unwrap();
    let (server, begun) = (Server::start(&program, &stack, &paths.root.join(RULES)).await, now());
    let watched = async |job: &str| !server.up(job).await.is_empty();
    until("operator and gateway are watched", async || watched("operator").await && watched("gateway").await).await;
    tokio::join!(workers_are_seen_at_work(&stack, &server), all_are_found_and_well_named(&server, &program, &stack));
    rests(&stack).await;
    nothing_is_wrong(&server, &paths.root).await;
    costs_are_told(&stack, &server).await;
    faults_come(&stack, &server).await;
    let (height, ()) = tokio::join!(burst(&stack), one_that_waits_knows_workers_too(&stack));
    the_alert_fires(&server).await;
    metrics_of_rules_exist(&server).await;
    for name in DASHBOARDS {
        let dashboard = Dashboard::read(&paths.root.join(format!("charts/classifier-fleet/dashboards/{name}.json")));
        every_query_has_data(&server, &dashboard, begun).await;
        if std::env::var_os("CLASSIFIERFLEET_WRITE_IMAGES").is_some() {
            draw(&paths, &dashboard.drawn(&server, begun, height).await, name).await;
        }
    }
    stack.stop().await.unwrap();
}

/// Prometheus, where it can be had.
async fn prometheus(paths: &Paths) -> Option<Prometheus> {
    or_skip("dashboards and alerts", tools::prometheus(paths, Progress::quiet()).await)
}

#[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are below 2⁵³
fn now() -> f64 {
    Timestamp::now().as_millisecond() as f64 / 1000.0
}

/// Bursts until Prometheus has seen what a job changes: quick workers finish a whole burst before they are scraped twice.
async fn workers_are_seen_at_work(stack: &Stack, server: &Server) {
    for _ in 0..BURSTS {
        burst(stack).await;
        let rate = server.value(r#"sum(rate(classifierfleet_worker_jobs_total{ending="done"}[10s]))"#).await;
        if rate.is_some_and(|rate| rate > 0.0) {
            return;
        }
    }
    panic!("Prometheus saw no worker do a job in {BURSTS} bursts of {BURST} photos");
}

/// Uploads, and returns when three quarters of them were answered.
async fn burst(stack: &Stack) -> f64 {
    let url = stack.gateway_url().unwrap();
    let uploads = photos(stack).into_iter().cycle().take(BURST);
    let answered = uploads.map(|photo| async move {
        classify(url, "/upload", "file", &photo.name, photo.bytes).await;
        now()
    });
    let mut times = join_all(answered).await;
    let text = upload(url, "/upload", "file", "notes.txt", b"This is no photo.".to_vec()).await;
    assert_eq!(text.status(), 415);
    times.sort_by(f64::total_cmp);
    times[BURST * 3 / 4]
}

/// Prometheus scrapes operator and gateway, and workers where /sd/workers says; promtool finds nothing to complain about.
async fn all_are_found_and_well_named(server: &Server, program: &Prometheus, stack: &Stack) {
    until("Prometheus scrapes workers", async || !server.up("workers").await.is_empty()).await;
    let (targets, workers) = (Targets::of(stack), server.up("workers").await);
    for target in [&targets.operator, &targets.gateway, workers.first().unwrap()] {
        assert_eq!(lint(program, target).await, "", "{target}");
    }
    assert_eq!(server.up("operator").await, BTreeSet::from([targets.operator]));
    assert_eq!(server.up("gateway").await, BTreeSet::from([targets.gateway]));
    let labels = r#"up{job="workers",namespace="default",fleet="imagenet",instance_type="t3.small",capacity_type="on-demand",instance_id=~"i-.+",revision!=""}"#;
    assert!(!server.query(labels).await.is_empty(), "workers carry the labels that /sd/workers gives them");
}

/// The work is done; as many workers as the pool takes are stopped, and the others gone.
async fn rests(stack: &Stack) {
    until("two workers are stopped, none runs", async || {
        let all = instances(stack).await;
        let left = all.iter().filter_map(|instance| instance["state"].as_str().filter(|state| *state != "terminated"));
        left.collect::<Vec<_>>() == ["stopped", "stopped"]
    })
    .await;
}

/// A fleet that works raises no alert; each rule can be evaluated, and has a runbook.
async fn nothing_is_wrong(server: &Server, root: &Path) {
    assert_eq!(server.firing().await, BTreeSet::new());
    for rule in server.rules().await {
        assert_eq!(rule["health"], "ok", "{rule}");
        if rule["type"] == "alerting" {
            let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
            assert!(root.join(runbook).is_file() && runbook.ends_with(&format!("/{}.md", rule["name"].as_str().unwrap())), "{runbook}");
        }
    }
}

/// By the price file: three minutes or so of t3.small.
async fn costs_are_told(stack: &Stack, server: &Server) {
    let told = fleet(stack, "{.status.costPerThousandImages} {.status.jobsPerSecondPerWorker}").await;
    let (per_thousand, rate) = told.split_once(' ').unwrap();
    let (per_thousand, rate): (f64, f64) = (per_thousand.parse().unwrap(), rate.parse().unwrap());
    let expected = 0.0208 / (rate * 3.6);
    assert!((per_thousand / expected - 1.0).abs() < 0.01, "{per_thousand} USD at {rate} images/s");
    let launched = server.value("sum(classifierfleet_launched_instances_total)").await.unwrap();
    let cost = server.value("sum(classifierfleet_instance_cost_usd_total)").await.unwrap();
    let minute = 0.0208 / 60.0;
    assert!(launched >= 1.0 && cost > 0.0 && cost < 10.0 * minute * launched, "{cost} USD for {launched} launches");
}

/// EC2 has no room for a moment, refuses a list, and somebody sends what is no job.
async fn faults_come(stack: &Stack, server: &Server) {
    arm(stack, json!({"action": "RunInstances", "code": "InsufficientInstanceCapacity"})).await;
    arm(stack, json!({"action": "DescribeInstances", "code": "UnauthorizedOperation"})).await;
    let failed = async || server.value("sum(classifierfleet_operator_inventory_failures_total)").await == Some(1.0);
    until("a list of instances fails", failed).await;
    let (_, sqs) = support::aws::clients(stack).await;
    let url = sqs.get_queue_url().queue_name("metrics-requests").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(url).message_body("What is this?").send().await.unwrap();
}

/// Whoever asks the Service for workers may get the operator that does not lead.
async fn one_that_waits_knows_workers_too(stack: &Stack) {
    stack.spawn_operator("operator-second").await.unwrap();
    let metrics = stack.supervisor().running("operator-second").unwrap().url.unwrap();
    let asked = metrics.replace("/metrics", "/sd/workers");
    until("it tells of workers", async || {
        let answer = reqwest::get(&asked).await.unwrap();
        answer.status() == 200 && !answer.json::<Vec<Value>>().await.unwrap().is_empty()
    })
    .await;
    let text = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
    assert!(text.contains("classifierfleet_operator_leading 0"), "{text}");
    assert!(!text.contains("classifierfleet_workers{"), "what fleets have, the one that leads tells: {text}");
    stack.kill_operator("operator-second", Signal::SIGTERM).await.unwrap();
}

/// What is no job ends in the dead-letter queue, and that alone is an alert: the other faults passed.
async fn the_alert_fires(server: &Server) {
    until("an alert fires", async || !server.firing().await.is_empty()).await;
    assert_eq!(server.firing().await, BTreeSet::from(["ClassifierFleetDeadLetters".to_owned()]));
    assert_eq!(server.value("sum(classifierfleet_launch_failures_total)").await, Some(1.0), "EC2 had no room for a moment");
}

/// No rule asks for a metric that nobody shows.
async fn metrics_of_rules_exist(server: &Server) {
    let known = server.names().await;
    for rule in server.rules().await {
        let query = rule["query"].as_str().unwrap();
        let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for name in words.filter(|word| word.starts_with("classifierfleet")) {
            assert!(known.contains(name), "{name} in {query}");
        }
    }
}

async fn every_query_has_data(server: &Server, dashboard: &Dashboard, begun: f64) {
    let mut empty = Vec::new();
    for panel in &dashboard.panels {
        for target in &panel.targets {
            if !has_data(&server.range(&target.expr(), begun, now()).await) {
                empty.push(format!("{}: {}", panel.title, target.expr()));
            }
        }
    }
    assert!(empty.is_empty(), "queries of {:?} without data:\n{}", dashboard.title, empty.join("\n"));
}

/// Has dev/prometheus/draw.cjs draw a dashboard.
async fn draw(paths: &Paths, drawn: &Value, name: &str) {
    let browser = tools::browser(paths, Progress::quiet()).await.unwrap();
    let data = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(data.path(), drawn.to_string()).unwrap();
    let mut node = Command::new("node");
    node.arg(paths.root.join("dev/prometheus/draw.cjs"))
        .arg(data.path())
        .arg(paths.root.join(format!("docs/images/dashboard-{name}.png")))
        .env("CHROMIUM", &browser.chromium)
        .env("NODE_PATH", &browser.modules)
        .stdin(Stdio::null());
    let output = node.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
