//! The load: k6, with so many connections for so long. Knows nothing of who answers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::paths::Paths;
use crate::process::Command;
use crate::stack::Stack;
use crate::wait::tail;

const SCRIPT: &str = "dev/xtask/src/commands/bench/gateway/upload.js";
const PROCESS: &str = "k6";
/// After its time, for the answers that are still to come.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// k6 and what it uploads.
pub(super) struct Load<'a> {
    stack: &'a Stack,
    k6: PathBuf,
    photo: PathBuf,
}

/// What uploaders saw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Seen {
    /// Uploads that were answered with the right label.
    pub(super) right: f64,
    /// All others.
    pub(super) errors: f64,
    /// Answers in a second.
    pub(super) per_second: f64,
    /// Of the time from an upload's first byte to its answer, milliseconds.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

#[derive(Deserialize)]
struct Summary {
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Metrics {
    checks: Metric<Checks>,
    http_reqs: Metric<Count>,
    http_req_duration: Metric<Times>,
}

#[derive(Deserialize)]
struct Metric<T> {
    values: T,
}

#[derive(Deserialize)]
struct Checks {
    passes: f64,
    fails: f64,
}

#[derive(Deserialize)]
struct Count {
    rate: f64,
}

#[derive(Deserialize)]
struct Times {
    med: f64,
    #[serde(rename = "p(99)")]
    p99: f64,
}

impl<'a> Load<'a> {
    pub(super) fn new(stack: &'a Stack, k6: PathBuf, photo: PathBuf) -> Self {
        Self { stack, k6, photo }
    }

    /// Uploads to the gateway at `url`, each of `connections` as soon as its last upload was answered, for `seconds`. `run` is
    /// part of the images' names.
    ///
    /// # Errors
    /// When k6 fails, or does not end.
    pub(super) async fn run(&self, url: &str, connections: u32, seconds: u32, run: &str) -> Result<Seen> {
        let summary = self.stack.dir().join("state/k6.json");
        let _ = std::fs::remove_file(&summary);
        let script = Paths::discover()?.root.join(SCRIPT).display().to_string();
        // It would listen on a fixed port.
        let args = ["run", "--quiet", "--address", "", "--no-usage-report", &script];
        let path = |path: &Path| path.display().to_string();
        let settings = [("URL", url.to_owned()), ("PHOTO", path(&self.photo)), ("SUMMARY", path(&summary)), ("RUN", run.to_owned())];
        let numbers = [("CONNECTIONS", connections.to_string()), ("SECONDS", seconds.to_string())];
        let k6 = Command::new(PROCESS, &self.k6).args(args).env(settings).env(numbers);
        let (running, log) = (self.stack.supervisor().start(&k6)?, self.stack.log(PROCESS));
        let ended = tokio::time::timeout(Duration::from_secs(seconds.into()) + ENDS_WITHIN, running.exit).await;
        let status = ended.with_context(|| format!("k6 does not end. {}", tail(&log)))??;
        ensure!(status.success(), "k6 ended with {status}. {}", tail(&log));
        let text = std::fs::read(&summary).with_context(|| format!("k6 wrote no summary. {}", tail(&log)))?;
        Seen::read(&text).with_context(|| format!("k6's summary is not understood: {}", summary.display()))
    }
}

impl Seen {
    fn read(summary: &[u8]) -> Result<Self> {
        let Summary { metrics: Metrics { checks, http_reqs, http_req_duration } } = serde_json::from_slice(summary)?;
        let (Checks { passes, fails }, Times { med, p99 }) = (checks.values, http_req_duration.values);
        Ok(Self { right: passes, errors: fails, per_second: http_reqs.values.rate, p50_ms: med, p99_ms: p99 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let text = br#"{"metrics": {"checks": {"type": "rate", "values": {"rate": 0.9, "passes": 90, "fails": 10}},
            "http_reqs": {"values": {"count": 100, "rate": 50.5}}, "http_req_duration": {"values": {"med": 4.5, "p(99)": 9.25, "max": 11}}}}"#;
        let expected = Seen { right: 90.0, errors: 10.0, per_second: 50.5, p50_ms: 4.5, p99_ms: 9.25 };
        assert_eq!(Seen::read(text).unwrap(), expected);
        assert!(Seen::read(b"{}").is_err());
    }
}
