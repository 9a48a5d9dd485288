//! A worker under measurement: started, sampled, ended. Knows nothing of the jobs.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::fleet::{OUTPUT_BUCKET, REQUEST_QUEUE};
use super::super::{peer, usage};
use crate::process::Process;
use crate::stack::Stack;
use crate::wait;

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// What a poll of a worker that is gone has taken comes back soon: MiniStack goes on with such polls (see `peer.rs`).
pub(super) const VISIBILITY_SECONDS: u32 = 10;

/// Who works.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind<'a> {
    /// Ours, on an instance.
    Ours {
        /// With so many threads; 0: as many as there are cores.
        threads: usize,
        program: &'a Path,
    },
    /// The plain Python worker.
    Peer,
}

/// A worker that runs.
pub(super) struct Contender<'a> {
    stack: &'a Stack,
    http: reqwest::Client,
    pid: i32,
    ours: Option<Instance>,
}

/// Where ours runs, and where it shows its metrics.
struct Instance {
    id: String,
    monitor: String,
}

/// What a worker has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sample {
    /// CPU time of the process, seconds.
    pub(super) cpu_seconds: f64,
    /// What only ours tells.
    pub(super) told: Option<Told>,
}

/// What our worker's metrics say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) done: f64,
    pub(super) calls: f64,
    /// CPU time of decoding and inference, seconds.
    pub(super) classify_seconds: f64,
}

impl<'a> Contender<'a> {
    pub(super) async fn start(stack: &'a Stack, kind: Kind<'_>) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        let (ours, name, log) = match kind {
            Kind::Peer => {
                stack.supervisor().start(&peer::command(stack)?)?;
                (None, peer::PROGRAM.to_owned(), stack.log(peer::PROCESS))
            }
            Kind::Ours { threads, program } => {
                let program = program.display().to_string();
                let instance = launch(stack, &http, threads, &program).await?;
                let log = stack.dir().join("state/cloudsim").join(&instance.id).join("console.log");
                (Some(instance), program, log)
            }
        };
        let found = || stack.supervisor().processes().into_iter().find(|process| is(process, &name));
        wait::until("the worker starts", STARTS_WITHIN, &log, async || found().is_some()).await?;
        let pid = found().context("the worker has ended again")?.pid;
        Ok(Self { stack, http, pid, ours })
    }

    pub(super) async fn sample(&self) -> Result<Sample> {
        let told = match &self.ours {
            Some(Instance { monitor, .. }) => {
                let text = self.http.get(format!("http://{monitor}/metrics")).send().await?.text().await?;
                Some(told(&text))
            }
            None => None,
        };
        Ok(Sample { cpu_seconds: usage::cpu_seconds(self.pid)?, told })
    }

    /// Ends it; what it was polling for is nobody's by then.
    pub(super) async fn stop(self) -> Result<()> {
        match &self.ours {
            Some(Instance { id, .. }) => {
                ec2(self.stack, &self.http, &[("Action", "TerminateInstances"), ("InstanceId.1", id)]).await?;
            }
            None => self.stack.supervisor().end(peer::PROCESS, Duration::from_secs(1)),
        }
        let gone = async || !Path::new(&format!("/proc/{}/stat", self.pid)).exists();
        wait::until("the worker ends", STARTS_WITHIN, &self.stack.log("cloudsim"), gone).await
    }
}

fn is(process: &Process, name: &str) -> bool {
    // Not the shell whose script names it.
    process.command.split_whitespace().any(|word| word.ends_with(name)) && !process.command.contains("/bin/sh")
}

/// An instance that runs nothing but the worker.
async fn launch(stack: &Stack, http: &reqwest::Client, threads: usize, program: &str) -> Result<Instance> {
    // Free a moment ago.
    let monitor = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let settings = [
        ("CLASSIFIERFLEET_NAMESPACE", "default".to_owned()),
        ("CLASSIFIERFLEET_FLEET", "bench".to_owned()),
        ("CLASSIFIERFLEET_REVISION", "bench".to_owned()),
        ("CLASSIFIERFLEET_REQUEST_QUEUE", REQUEST_QUEUE.to_owned()),
        ("CLASSIFIERFLEET_OUTPUT_BUCKET", OUTPUT_BUCKET.to_owned()),
        ("CLASSIFIERFLEET_MODEL_URI", format!("file://{}", stack.tools().model.display())),
        ("CLASSIFIERFLEET_VISIBILITY_TIMEOUT_SECONDS", VISIBILITY_SECONDS.to_string()),
        ("CLASSIFIERFLEET_MONITOR_LISTEN", monitor.clone()),
        ("CACHE_DIRECTORY", "cache".to_owned()),
    ];
    let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value));
    let threads = (threads > 0).then(|| ("CLASSIFIERFLEET_PARALLELISM".to_owned(), threads.to_string()));
    let settings = settings.chain(threads).chain(stack.endpoints()?.env());
    let exports: String = settings.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    let script = STANDARD.encode(format!("#!/bin/sh\n{exports}exec '{program}'\n"));
    let call = [
        ("Action", "RunInstances"),
        ("ImageId", "ami-0123456789abcdef0"),
        ("InstanceType", "t3.small"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("UserData", &script),
    ];
    let answer = ec2(stack, http, &call).await?;
    let id = answer.split_once("<instanceId>").and_then(|(_, rest)| rest.split_once('<')).map(|(id, _)| id.to_owned());
    Ok(Instance { id: id.with_context(|| format!("EC2 launched nothing: {answer}"))?, monitor })
}

/// The stand-in for EC2 asks for no signature.
async fn ec2(stack: &Stack, http: &reqwest::Client, call: &[(&str, &str)]) -> Result<String> {
    let answer =
        http.post(&stack.endpoints()?.ec2).form(&[("Version", "2016-11-15")].iter().chain(call).collect::<Vec<_>>()).send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "EC2 answered {status}: {body}");
    Ok(body)
}

/// Sums over all labels.
fn told(metrics: &str) -> Told {
    let sum = |name: &str, label: &str| -> f64 {
        let is = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label);
        metrics.lines().filter(is).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    };
    Told {
        done: sum("classifierfleet_worker_jobs_total", r#"ending="done""#),
        calls: sum("classifierfleet_worker_aws_calls_total", ""),
        classify_seconds: sum("classifierfleet_worker_classify_cpu_seconds_total", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let text = "\
# TYPE classifierfleet_worker_aws_calls_total counter
classifierfleet_worker_aws_calls_total{call=\"GET\"} 600
classifierfleet_worker_aws_calls_total{call=\"PUT\"} 601
classifierfleet_worker_classify_cpu_seconds_total 4.5
classifierfleet_worker_jobs_total{ending=\"done\"} 598
classifierfleet_worker_jobs_total{ending=\"failed\"} 2
";
        let Told { done, calls, classify_seconds } = told(text);
        assert_eq!([done, calls, classify_seconds], [598.0, 1201.0, 4.5]);
    }
}
