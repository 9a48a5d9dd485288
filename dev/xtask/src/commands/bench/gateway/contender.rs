//! A gateway under measurement: where it takes uploads, and what it has used so far.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use super::super::fleet::REQUEST_QUEUE;
use super::super::usage::Group;
use crate::paths::Paths;
use crate::process::Command;
use crate::stack::Stack;
use crate::wait;

/// Relative to the checkout.
const BASELINES: &str = "dev/baselines";
const PYTHON: &str = "python-gateway";
/// The first replica, as the local stack calls its process.
const OURS: &str = "pod-default-bench-gateway-0";
/// Of the plain gateway, in each process: more connections than that wait until one is free.
const THREADS: usize = 512;
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A gateway that runs.
pub(super) struct Contender {
    http: reqwest::Client,
    /// Where it takes uploads.
    pub(super) url: String,
    processes: Group,
    calls: Calls,
}

/// Where it says how many requests to AWS it has made.
enum Calls {
    /// Our metrics.
    Metrics(String),
    /// The plain gateway's processes, so many of them, each of its own.
    Python(usize),
}

/// What one of them says.
#[derive(Deserialize)]
struct Said {
    pid: i32,
    calls: u32,
}

impl Contender {
    /// Ours, in the stack's first pod of the fleet.
    pub(super) fn ours(stack: &Stack) -> Result<Self> {
        let url = stack.gateway_url()?.to_owned();
        let host = url.rsplit_once(':').context("a gateway without a port")?.0;
        let calls = Calls::Metrics(format!("{host}:9090/metrics"));
        Ok(Self { http: reqwest::Client::new(), processes: Group::of(stack.supervisor(), OURS)?, calls, url })
    }

    /// The plain one, with a process for each core.
    pub(super) async fn python(stack: &Stack) -> Result<Self> {
        let processes = std::thread::available_parallelism().map_or(1, usize::from);
        // Free a moment ago.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let baselines = Paths::discover()?.root.join(BASELINES).display().to_string();
        let (workers, threads) = (processes.to_string(), THREADS.to_string());
        let args = ["-B", "-m", "gunicorn", "--chdir", &baselines, "--bind", &address.to_string(), "--workers", &workers];
        let args = args.into_iter().chain(["--worker-class", "gthread", "--threads", &threads, "gateway:app"]);
        let settings = [("REQUEST_QUEUE", REQUEST_QUEUE), ("INPUT_BUCKET", "bench-in"), ("REPLY_QUEUE_PREFIX", "bench-python")];
        let python = Command::new(PYTHON, stack.tools().python_program("python")).args(args).env(settings);
        stack.supervisor().start(&python.env(stack.endpoints()?.env()))?;
        let (http, url) = (reqwest::Client::new(), format!("http://{address}"));
        let all = async || matches!(told(&http, &url, processes).await, Ok(told) if told.len() == processes);
        wait::until("the plain Python gateway starts", STARTS_WITHIN, &stack.log(PYTHON), all).await?;
        Ok(Self { http, processes: Group::of(stack.supervisor(), PYTHON)?, calls: Calls::Python(processes), url })
    }

    pub(super) fn processes(&self) -> &Group {
        &self.processes
    }

    /// Requests to AWS so far.
    pub(super) async fn calls(&self) -> Result<f64> {
        match &self.calls {
            Calls::Metrics(url) => Ok(counted(&self.http.get(url).send().await?.text().await?)),
            Calls::Python(processes) => {
                let told = told(&self.http, &self.url, *processes).await?;
                ensure!(told.len() == *processes, "only {} of {processes} Python processes answer", told.len());
                Ok(told.values().copied().map(f64::from).sum())
            }
        }
    }
}

/// What the plain gateway's processes say, until all have: a new connection may reach any of them.
async fn told(http: &reqwest::Client, url: &str, processes: usize) -> Result<BTreeMap<i32, u32>> {
    let mut all = BTreeMap::new();
    for _ in 0..100 * processes {
        let answer = http.get(format!("{url}/calls")).header("Connection", "close").send().await?;
        let Said { pid, calls } = answer.json().await?;
        all.insert(pid, calls);
        if all.len() == processes {
            break;
        }
    }
    Ok(all)
}

/// The sum over all calls.
fn counted(metrics: &str) -> f64 {
    let lines = metrics.lines().filter(|line| line.starts_with("classifierfleet_gateway_aws_calls_total{"));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn calls_are_summed_over_their_labels() {
        let text = "\
# TYPE classifierfleet_gateway_aws_calls_total counter
classifierfleet_gateway_aws_calls_total{call=\"PUT\",fleet=\"a\"} 600
classifierfleet_gateway_aws_calls_total{call=\"SendMessageBatch\",fleet=\"a\"} 70
classifierfleet_gateway_pending_uploads{fleet=\"a\"} 3
";
        assert_eq!(counted(text), 670.0);
    }
}
