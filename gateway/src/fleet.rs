//! The fleet as its status tells it, read from the API server once for all who ask. Knows nothing of who they are.

use std::sync::Arc;
use std::time::Duration;

use kube::api::DynamicObject;
use kube::core::ApiResource;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::core::Core;
use crate::settings::Settings;

/// While somebody listens, the status is read so often.
const LIVE: Duration = Duration::from_secs(2);
/// Who asks once is content with a reading of this age.
const CONTENT: Duration = Duration::from_secs(10);
/// How long the API server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the status is not known.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("there is no Kubernetes to ask ({0})")]
    Client(#[source] kube::Error),
    #[error("the gateway's service account may not read it; its role must allow get on classifierfleets ({0})")]
    Forbidden(String),
    #[error("there is no ClassifierFleet {0}")]
    Missing(String),
    #[error("the API server cannot be reached: {0}")]
    Call(#[source] kube::Error),
    #[error("the API server did not answer within {} s", PATIENCE.as_secs())]
    Late,
    #[error("its status is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl ReadError {
    /// What went wrong, for people outside: addresses and paths are for the log alone.
    fn summary(&self) -> String {
        match self {
            Self::Client(_) => "there is no Kubernetes to ask".to_owned(),
            Self::Forbidden(_) => "the gateway may not read the fleet; its role must allow get on classifierfleets".to_owned(),
            Self::Call(_) => "the API server cannot be reached".to_owned(),
            Self::Missing(_) | Self::Late | Self::Malformed(_) => self.to_string(),
        }
    }
}

/// As much of the status as people look at. A view of its own, so that an operator of another version is understood, too.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    queue: Option<Queue>,
    workers: Option<Workers>,
    desired: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Queue {
    visible: i64,
    in_flight: i64,
    delayed: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Workers {
    total: i64,
    ready: i64,
    starting: i64,
    draining: i64,
    outdated: i64,
    stopped: i64,
}

/// What was read, or a sentence on why nothing was.
type Known = Result<Status, String>;

/// The fleet of this gateway.
#[derive(Debug)]
pub(crate) struct Fleet {
    namespace: String,
    name: String,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    api: Option<Api<DynamicObject>>,
    last: Option<(Instant, Known)>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").field("last", &self.last).finish_non_exhaustive()
    }
}

impl Fleet {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { namespace: settings.namespace.clone(), name: settings.fleet.clone(), reading: Mutex::default() }
    }

    /// The status, of at most this age. One who reads it reads it for all who wait meanwhile.
    async fn status(&self, age: Duration) -> Known {
        let mut reading = self.reading.lock().await;
        if let Some((at, known)) = &reading.last
            && at.elapsed() < age
        {
            return known.clone();
        }
        let read = self.read(&mut reading).await;
        log(reading.last.as_ref().map(|(_, known)| known), &read);
        let known = read.map_err(|error| error.summary());
        reading.last = Some((Instant::now(), known.clone()));
        known
    }

    async fn read(&self, reading: &mut Reading) -> Result<Status, ReadError> {
        let api = match &reading.api {
            Some(api) => api.clone(),
            None => reading.api.insert(self.api().await?).clone(),
        };
        let fleet = match tokio::time::timeout(PATIENCE, api.get(&self.name)).await {
            Ok(Ok(fleet)) => fleet,
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => return Err(ReadError::Forbidden(status.message)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => {
                return Err(ReadError::Missing(format!("{}/{}", self.namespace, self.name)));
            }
            Ok(Err(error)) => return Err(ReadError::Call(error)),
            Err(_) => return Err(ReadError::Late),
        };
        Ok(match fleet.data.get("status") {
            Some(status) => Status::deserialize(status)?,
            None => Status::default(),
        })
    }

    async fn api(&self) -> Result<Api<DynamicObject>, ReadError> {
        let client = Client::try_default().await.map_err(ReadError::Client)?;
        let resource = ApiResource {
            group: "classifierfleet.dev".to_owned(),
            version: "v1alpha1".to_owned(),
            api_version: "classifierfleet.dev/v1alpha1".to_owned(),
            kind: "ClassifierFleet".to_owned(),
            plural: "classifierfleets".to_owned(),
        };
        Ok(Api::namespaced_with(client, &self.namespace, &resource))
    }
}

/// Only what changed is news.
fn log(before: Option<&Known>, now: &Result<Status, ReadError>) {
    match (before, now) {
        (Some(Err(_)), Ok(_)) => tracing::info!("the fleet's status can be read again"),
        (None | Some(Ok(_)), Err(error)) => {
            tracing::warn!(%error, "the fleet's status cannot be read: the page shows neither queue nor workers");
        }
        _ => {}
    }
}

/// What `GET /v1/fleet` answers.
pub(crate) async fn view(core: &Core) -> Value {
    view_of_age(core, CONTENT).await
}

/// Tells of the fleet, while somebody listens, until `stop`.
pub(crate) async fn tell(core: Arc<Core>, stop: CancellationToken) {
    stop.run_until_cancelled(async {
        let (mut listeners, mut told) = (core.events.listeners(), Value::Null);
        // The core, which outlives this task, has the sender.
        while listeners.wait_for(|count| *count > 0).await.is_ok() {
            let view = view_of_age(&core, LIVE / 2).await;
            if view != told {
                core.events.fleet(&view);
                told = view;
            }
            tokio::time::sleep(LIVE).await;
        }
    })
    .await;
}

async fn view_of_age(core: &Core, age: Duration) -> Value {
    let known = core.fleet.status(age).await;
    let rate = (core.events.results().per_second() * 100.0).round() / 100.0;
    compose(&core.fleet, &known, core.metrics.pending.get(), rate)
}

fn compose(fleet: &Fleet, known: &Known, pending: i64, rate: f64) -> Value {
    let (queue, workers, message) = match known {
        Ok(Status { queue, workers, desired }) => {
            let mut workers = json!(workers.clone().unwrap_or_default());
            workers["desired"] = json!(desired);
            let message = queue.is_none().then_some("the operator has not measured the queue yet");
            (json!(queue), workers, message.map(str::to_owned))
        }
        Err(reason) => (Value::Null, Value::Null, Some(format!("Queue and workers are not known here: {reason}."))),
    };
    json!({
        "namespace": fleet.namespace, "name": fleet.name, "queue": queue, "workers": workers,
        "pending": pending, "ratePerSecond": rate, "message": message,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn fleet() -> Fleet {
        Fleet { namespace: "default".to_owned(), name: "imagenet".to_owned(), reading: Mutex::default() }
    }

    #[test]
    fn a_status_is_shown_whatever_else_is_in_it() {
        let status = json!({
            "desired": 5, "workers": {"total": 4, "ready": 3, "starting": 1, "more": 7}, "decision": {"steps": []},
            "queue": {"backlog": 12, "visible": 9, "inFlight": 3, "delayed": 0, "sampledAt": "2026-01-02T03:04:05Z"},
        });
        let view = compose(&fleet(), &Ok(serde_json::from_value(status).unwrap()), 7, 1.5);
        let workers = json!({"desired": 5, "total": 4, "ready": 3, "starting": 1, "draining": 0, "outdated": 0, "stopped": 0});
        let expected = json!({
            "namespace": "default", "name": "imagenet", "queue": {"visible": 9, "inFlight": 3, "delayed": 0}, "workers": workers,
            "pending": 7, "ratePerSecond": 1.5, "message": null,
        });
        assert_eq!(view, expected);
    }

    #[test]
    fn what_is_not_known_is_null_and_says_why() {
        let view = compose(&fleet(), &Err("there is no Kubernetes to ask".to_owned()), 0, 0.0);
        assert_eq!((&view["queue"], &view["workers"]), (&Value::Null, &Value::Null));
        assert!(view["message"].as_str().unwrap().contains("no Kubernetes"));
        let new = compose(&fleet(), &Ok(Status::default()), 0, 0.0);
        assert_eq!((&new["queue"], &new["workers"]["ready"]), (&Value::Null, &json!(0)));
        assert!(new["message"].is_string());
    }
}
