//! When EC2 is asked for instances of which fleet, as its stand-in has logged it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fleets::Fleet;
use crate::wait;

/// Parameter of RunInstances that tells whose launch it is.
const TEMPLATE: &str = "LaunchTemplate.LaunchTemplateName";
/// Many at once wait for EC2's bucket.
const LAUNCHED_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The stand-in for EC2, and the log of who asks it.
pub(super) struct Cloud {
    url: String,
    http: reqwest::Client,
    operator_log: PathBuf,
}

/// What we read of a request.
#[derive(Debug, Deserialize)]
struct Request {
    seq: u64,
    at: Timestamp,
    action: String,
    params: BTreeMap<String, String>,
}

/// Requests until now.
#[derive(Debug, Deserialize)]
struct Calls {
    total: u64,
    throttled: u64,
    #[serde(rename = "byOutcome")]
    by_outcome: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Cloud {
    /// The one whose endpoint is `ec2`; `operator_log` is shown when nothing is launched.
    pub(super) fn at(ec2: &str, operator_log: PathBuf) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { url: format!("{ec2}/_cloudsim"), http, operator_log })
    }

    /// Lets it throttle as EC2 does by default.
    pub(super) async fn throttle(&self) -> Result<()> {
        self.http.put(format!("{}/throttle", self.url)).json(&true).send().await?.error_for_status()?;
        Ok(())
    }

    /// Requests until now.
    pub(super) async fn calls(&self) -> Result<u64> {
        Ok(self.get::<Calls>("calls").await?.total)
    }

    /// Requests that were throttled, ever: how many, and of which actions.
    pub(super) async fn throttled(&self) -> Result<(u64, String)> {
        let calls: Calls = self.get("calls").await?;
        let of =
            |(action, outcomes): (&String, &BTreeMap<String, u64>)| Some(format!("{action} {}", outcomes.get("RequestLimitExceeded")?));
        Ok((calls.throttled, calls.by_outcome.iter().filter_map(of).collect::<Vec<_>>().join(", ")))
    }

    /// Instances that live.
    pub(super) async fn instances(&self) -> Result<usize> {
        let instances: Vec<serde_json::Value> = self.get("instances").await?;
        Ok(instances.iter().filter(|instance| instance["state"] == "running" || instance["state"] == "pending").count())
    }

    /// Milliseconds from each time to the first launch call of its fleet, once all have been made; calls before the first `seen` do
    /// not count.
    ///
    /// # Errors
    /// When one is not made.
    pub(super) async fn launches(&self, mut seen: u64, since: &[(&Fleet, Timestamp)]) -> Result<Vec<f64>> {
        let mut launched: HashMap<String, Timestamp> = HashMap::new();
        let begun = Instant::now();
        let found = |launched: &HashMap<String, Timestamp>| {
            let reaction = |(fleet, since): &(&Fleet, Timestamp)| {
                Some(launched.get(&fleet.template())?.duration_since(*since).as_secs_f64().max(0.0) * 1e3)
            };
            since.iter().map(reaction).collect::<Option<Vec<f64>>>()
        };
        loop {
            let requests: Vec<Request> = self.get(&format!("log?since={seen}")).await?;
            for request in requests {
                seen = request.seq;
                if let Some(template) = request.params.get(TEMPLATE).filter(|_| request.action == "RunInstances") {
                    launched.entry(template.clone()).or_insert(request.at);
                }
            }
            if let Some(reactions) = found(&launched) {
                return Ok(reactions);
            }
            ensure!(
                begun.elapsed() < LAUNCHED_WITHIN,
                "not all fleets launch within {LAUNCHED_WITHIN:?}. {}",
                wait::tail(&self.operator_log)
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn get<T: DeserializeOwned>(&self, what: &str) -> Result<T> {
        let answer = self.http.get(format!("{}/{what}", self.url)).send().await?;
        answer.json().await.with_context(|| format!("cloudsim's {what} is not understood"))
    }
}
