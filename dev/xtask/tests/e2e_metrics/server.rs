//! A real Prometheus that scrapes a stack, and what it answers.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use xtask::stack::Stack;
use xtask::tools::Prometheus;

use super::support::until;

/// Seconds between two samples.
pub const STEP: u32 = 1;

/// Where the parts of a stack show their metrics, as `host:port`.
pub struct Targets {
    pub operator: String,
    pub gateway: String,
}

impl Targets {
    pub fn of(stack: &Stack) -> Self {
        let operator = stack.supervisor().running("operator").unwrap().url.unwrap();
        let host = |url: &str| url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        let gateway = host(stack.gateway_url().unwrap());
        Self { operator: host(&operator), gateway: format!("{}:9090", gateway.rsplit_once(':').unwrap().0) }
    }
}

/// The server; it ends when it is dropped.
pub struct Server {
    url: String,
    http: Client,
    _process: Child,
}

impl Server {
    /// Starts it, with `rules` (a file), and waits until it answers.
    pub async fn start(program: &Prometheus, stack: &Stack, rules: &Path) -> Self {
        let (folder, targets) = (stack.dir().join("prometheus"), Targets::of(stack));
        std::fs::create_dir_all(&folder).unwrap();
        let scrape = |job: &str, target: &str| json!({"job_name": job, "honor_labels": true, "static_configs": [{"targets": [target]}]});
        let workers = format!("http://{}/sd/workers", targets.operator);
        let config = json!({
            "global": {"scrape_interval": format!("{STEP}s"), "evaluation_interval": format!("{STEP}s")},
            "rule_files": [rules],
            "scrape_configs": [
                scrape("operator", &targets.operator),
                scrape("gateway", &targets.gateway),
                {"job_name": "workers", "http_sd_configs": [{"url": workers, "refresh_interval": "1s"}]},
            ],
        });
        let file = folder.join("prometheus.yml");
        // JSON is YAML, too.
        std::fs::write(&file, config.to_string()).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new(&program.server)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = Self { url: format!("http://{address}"), http: Client::new(), _process: process };
        let ready = format!("{}/-/ready", server.url);
        until("Prometheus is ready", async || server.http.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success())).await;
        server
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let answer = self.http.get(format!("{}/api/v1/{path}", self.url)).query(query).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["status"], "success", "{query:?}: {answer}");
        answer["data"].clone()
    }

    /// The series that `expr` has now.
    pub async fn query(&self, expr: &str) -> Vec<Value> {
        self.get("query", &[("query", expr)]).await["result"].as_array().unwrap().clone()
    }

    /// The value of a query that has one; none while it has no series.
    pub async fn value(&self, expr: &str) -> Option<f64> {
        self.query(expr).await.first()?["value"][1].as_str()?.parse().ok()
    }

    /// The series that `expr` had from `start` to `end` (seconds since 1970).
    pub async fn range(&self, expr: &str, start: f64, end: f64) -> Vec<Value> {
        let (start, end, step) = (start.to_string(), end.to_string(), STEP.to_string());
        let query = [("query", expr), ("start", &start), ("end", &end), ("step", &step)];
        self.get("query_range", &query).await["result"].as_array().unwrap().clone()
    }

    /// Names of all metrics that it has.
    pub async fn names(&self) -> BTreeSet<String> {
        serde_json::from_value(self.get("label/__name__/values", &[]).await).unwrap()
    }

    /// Names of the alerts that fire.
    pub async fn firing(&self) -> BTreeSet<String> {
        let alerts = self.get("alerts", &[]).await;
        let firing = alerts["alerts"].as_array().unwrap().iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
    }

    /// The groups of rules that it evaluates.
    pub async fn rules(&self) -> Vec<Value> {
        let groups = self.get("rules", &[]).await;
        groups["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
    }

    /// Targets of a job, as `host:port`, that were scraped well.
    pub async fn up(&self, job: &str) -> BTreeSet<String> {
        let up = self.query(&format!("up{{job=\"{job}\"}} == 1")).await;
        up.iter().map(|series| series["metric"]["instance"].as_str().unwrap().to_owned()).collect()
    }
}

/// What promtool holds against what is shown at `target`.
pub async fn lint(program: &Prometheus, target: &str) -> String {
    let text = reqwest::get(format!("http://{target}/metrics")).await.unwrap().text().await.unwrap();
    assert!(text.contains("classifierfleet_"), "{text}");
    let mut check = Command::new(&program.promtool);
    check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = check.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { said } else { format!("{}: {said}", output.status) }
}
