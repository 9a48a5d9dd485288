//! What the operator asks of AWS, and what anybody writes to the API server, counted by kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use kube::Client;
use serde::Deserialize;

use crate::relay::{Gate, Tap};
use crate::stack::{Endpoints, Relays};

/// The metric of the API server that counts requests, and the verbs that write.
const REQUESTS: &str = "apiserver_request_total";
const WRITES: [&str; 5] = ["POST", "PUT", "PATCH", "APPLY", "DELETE"];

/// Counts calls: those to SQS and S3 as they pass a relay, those to EC2 where it takes them.
pub(super) struct Meter {
    relays: Relays,
    gate: Arc<Gate>,
    ec2: String,
    http: reqwest::Client,
    kube: Client,
}

/// Calls until now, by kind.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    at: Instant,
    counts: BTreeMap<String, f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfEc2 {
    by_action: BTreeMap<String, u64>,
}

impl Meter {
    /// Counts from now on what passes to `endpoints`, and what reaches the API server of `kube`.
    pub(super) async fn start(endpoints: &Endpoints, kube: Client) -> Result<Self> {
        let gate = Arc::new(Gate::default());
        let relays = Relays::start(endpoints, &Tap { recorder: None, gate: Some(gate.clone()) }).await?;
        Ok(Self { relays, gate, ec2: endpoints.ec2.clone(), http: reqwest::Client::new(), kube })
    }

    /// Where the operator is to reach AWS.
    pub(super) fn endpoints(&self) -> Endpoints {
        Endpoints { ec2: self.ec2.clone(), ..self.relays.endpoints() }
    }

    /// Calls until now.
    pub(super) async fn calls(&self) -> Result<Calls> {
        let mut counts = BTreeMap::new();
        for point in self.gate.seen() {
            *counts.entry(point.call.name().to_owned()).or_default() += 1.0;
        }
        let ec2: OfEc2 = self.http.get(format!("{}/_cloudsim/calls", self.ec2)).send().await?.json().await?;
        counts.extend(ec2.by_action.into_iter().map(|(action, count)| (format!("ec2:{action}"), count as f64)));
        let request = hyper::Request::get("/metrics").body(Vec::new())?;
        let metrics = self.kube.request_text(request).await.context("the API server's metrics cannot be read")?;
        for (write, count) in metrics.lines().filter_map(write) {
            *counts.entry(write).or_default() += count;
        }
        Ok(Calls { at: Instant::now(), counts })
    }
}

impl Calls {
    /// Calls a minute since `before`, by kind; kinds that were not called are left out.
    pub(super) fn per_minute(&self, before: &Self) -> BTreeMap<String, f64> {
        let minutes = self.at.duration_since(before.at).as_secs_f64() / 60.0;
        let rate = |(name, count): (&String, &f64)| {
            let calls = count - before.counts.get(name).unwrap_or(&0.0);
            (calls > 0.0).then(|| (name.clone(), calls / minutes))
        };
        self.counts.iter().filter_map(rate).collect()
    }
}

/// `kube:PUT classifierfleets/status` and its count, if the line counts writes. Leases are renewed for ever by whoever leads,
/// the API server included, and count apart.
fn write(line: &str) -> Option<(String, f64)> {
    let (labels, count) = line.strip_prefix(REQUESTS)?.strip_prefix('{')?.rsplit_once("} ")?;
    let label = |name: &str| labels.split(',').find_map(|label| label.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"'));
    let verb = label("verb").filter(|verb| WRITES.contains(verb))?;
    let subresource = label("subresource").filter(|name| !name.is_empty()).map(|name| format!("/{name}")).unwrap_or_default();
    Some((format!("kube:{verb} {}{subresource}", label("resource")?), count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_are_told_from_other_requests() {
        let line = |verb: &str, subresource: &str| {
            format!(
                "apiserver_request_total{{code=\"200\",component=\"apiserver\",resource=\"classifierfleets\",subresource=\"{subresource}\",\
                 verb=\"{verb}\",version=\"v1alpha1\"}} 12"
            )
        };
        assert_eq!(write(&line("PUT", "status")), Some(("kube:PUT classifierfleets/status".to_owned(), 12.0)));
        assert_eq!(write(&line("APPLY", "")), Some(("kube:APPLY classifierfleets".to_owned(), 12.0)));
        assert_eq!(write(&line("LIST", "")), None);
        assert_eq!(write("# TYPE apiserver_request_total counter"), None);
    }

    #[test]
    fn rates_are_per_minute_and_only_of_what_was_called() {
        let now = Instant::now();
        let calls = |at, counts: [(&str, f64); 2]| Calls { at, counts: counts.map(|(name, count)| (name.to_owned(), count)).into() };
        let (before, after) = (calls(now, [("a", 1.0), ("b", 2.0)]), calls(now + Duration::from_secs(30), [("a", 4.0), ("b", 2.0)]));
        assert_eq!(after.per_minute(&before), BTreeMap::from([("a".to_owned(), 6.0)]));
    }
}
