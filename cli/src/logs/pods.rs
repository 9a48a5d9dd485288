//! The pods that log for a fleet, and what they logged. Knows nothing of what the lines say.

use std::collections::HashMap;
use std::time::Instant;

use crds::ClassifierFleet;
use futures::future::join_all;
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{ListParams, LogParams};

use super::line::{Line, Question};
use crate::args::LogsArgs;
use crate::cluster::Cluster;

/// What was read before.
pub(super) struct Seen {
    begun: Instant,
    /// The last line of each pod that logged anything, by its UID.
    last: HashMap<String, Timestamp>,
}

/// What was logged, the oldest first.
pub(super) struct Read {
    pub(super) lines: Vec<Line>,
    /// What could not be read, and why.
    pub(super) unread: Vec<String>,
}

/// What one pod logged.
struct Log {
    /// The lines asked for.
    lines: Vec<Line>,
    /// When its last line was written, whether asked for or not.
    last: Option<Timestamp>,
}

/// Pods that run the same program.
struct Program {
    /// Of the container, and for people.
    name: &'static str,
    /// Where its pods are; none: anywhere.
    namespace: Option<String>,
    selector: String,
}

/// Reads the logs of all pods that log for `fleet`: what was not `seen` before, and of pods that are new what `args` ask for.
pub(super) async fn read(cluster: &Cluster, fleet: &ClassifierFleet, args: &LogsArgs, seen: &mut Seen) -> Read {
    let namespace = fleet.namespace().unwrap_or_default();
    let question = Question { namespace: &namespace, fleet: &args.name, job: args.job.as_deref() };
    let mut read = Read { lines: Vec::new(), unread: Vec::new() };
    for program in programs(fleet, &namespace) {
        let pods = match program.pods(cluster).await {
            Ok(pods) => pods,
            Err(why) => {
                read.unread.push(why);
                continue;
            }
        };
        let since = |pod: &Pod| seen.from(pod, args.since);
        for (pod, log) in pods.iter().zip(join_all(pods.iter().map(|pod| program.log(cluster, pod, since(pod), question))).await) {
            match log {
                Ok(log) => {
                    read.lines.extend(log.lines);
                    seen.last.extend(pod.uid().zip(log.last));
                }
                Err(why) => read.unread.push(why),
            }
        }
    }
    read.lines.sort_by_key(|line| line.at);
    read
}

/// From where on a log is asked for.
#[derive(Clone, Copy)]
enum Since {
    /// So long ago.
    Span(SignedDuration),
    /// After this line.
    Line(Timestamp),
}

impl Seen {
    pub(super) fn nothing() -> Self {
        Self { begun: Instant::now(), last: HashMap::new() }
    }

    /// From where on the log of `pod` is news; of one that has not logged yet, as far back as was asked for at the beginning.
    fn from(&self, pod: &Pod, span: SignedDuration) -> Since {
        let last = pod.uid().and_then(|uid| self.last.get(&uid).copied());
        let passed = SignedDuration::try_from(self.begun.elapsed()).unwrap_or(SignedDuration::MAX);
        last.map_or(Since::Span(span.saturating_add(passed)), Since::Line)
    }
}

impl Since {
    /// The API server knows whole seconds.
    fn ask(self, params: LogParams) -> LogParams {
        match self {
            Self::Span(span) => LogParams { since_seconds: Some(span.as_secs().max(1)), ..params },
            Self::Line(at) => LogParams { since_time: Timestamp::from_second(at.as_second()).ok(), ..params },
        }
    }

    fn is_before(self, line: &Line) -> bool {
        match self {
            Self::Span(_) => true,
            Self::Line(at) => at < line.at,
        }
    }
}

fn programs(fleet: &ClassifierFleet, namespace: &str) -> Vec<Program> {
    let gateway = format!("app.kubernetes.io/name=gateway,classifierfleet.dev/fleet={}", fleet.name_any());
    let gateway = Program { name: "gateway", namespace: Some(namespace.to_owned()), selector: gateway };
    let operator = "app.kubernetes.io/part-of=classifierfleet,app.kubernetes.io/component=operator".to_owned();
    let operator = Program { name: "operator", namespace: None, selector: operator };
    if fleet.spec.gateway.replicas == 0 { vec![operator] } else { vec![gateway, operator] }
}

/// The API server's own words: what they are about stands around them.
fn said(cluster: &Cluster, error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.trim_end_matches('.').to_owned(),
        error => cluster.error(error).to_string(),
    }
}

impl Program {
    async fn pods(&self, cluster: &Cluster) -> Result<Vec<Pod>, String> {
        let Self { name, namespace, selector } = self;
        let pods = cluster.pods(namespace.as_deref()).list(&ListParams::default().labels(selector)).await;
        let command = match namespace {
            Some(namespace) => format!("kubectl logs -n {namespace} -l {selector} -c {name}"),
            None => format!("kubectl logs -n NAMESPACE -l {selector} -c {name}, with the namespace that it was installed into"),
        };
        match pods {
            Ok(pods) if pods.items.is_empty() => Err(format!("there is no pod of the {name} (kubectl get pods -A -l {selector})")),
            Ok(pods) => Ok(pods.items),
            Err(error) => Err(format!("the pods of the {name} cannot be listed: {}. Try {command}", said(cluster, error))),
        }
    }

    async fn log(&self, cluster: &Cluster, pod: &Pod, since: Since, question: Question<'_>) -> Result<Log, String> {
        let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
        let params = LogParams { container: Some(self.name.to_owned()), timestamps: true, ..LogParams::default() };
        let unread =
            |why: String| format!("the log of pod {name} cannot be read: {why}. Try kubectl logs -n {namespace} {name} -c {}", self.name);
        let log = cluster.pods(Some(&namespace)).log_stream(&name, &since.ask(params)).await;
        let mut log = log.map_err(|error| unread(said(cluster, error)))?.lines();
        let mut read = Log { lines: Vec::new(), last: None };
        while let Some(line) = log.try_next().await.map_err(|error| unread(error.to_string()))? {
            let Some(line) = Line::parse(&name, &line).filter(|line| since.is_before(line)) else { continue };
            read.last = Some(line.at);
            read.lines.extend(Some(line).filter(|line| question.is_about(line)));
        }
        Ok(read)
    }
}
