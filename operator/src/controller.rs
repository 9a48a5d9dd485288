//! The controllers: which fleets are reconciled, how many at once, and when one that failed is tried again.

use std::sync::Arc;
use std::time::Duration;

use crds::ClassifierFleet;
use futures::StreamExt as _;
use futures::future::{join, join_all};
use kube::api::ListParams;
use kube::runtime::controller::{Action, Config};
use kube::runtime::{Controller, WatchStreamExt as _, reflector, watcher};
use kube::{Api, ResourceExt as _};
use service::monitor::Readiness;
use tokio_util::sync::CancellationToken;

use crate::context::Operator;
use crate::leader::Leading;
use crate::reconcile::{Error, reconcile};
use crate::scope::events;

/// After a conflict: whoever was faster may not be done.
const AFTER_CONFLICT: Duration = Duration::from_millis(200);
/// Between two looks whether the CRD is there.
const UNKNOWN: Duration = Duration::from_secs(2);
/// A fleet that is looked at before its gateway is known would be told to have none.
const LISTED_WITHIN: Duration = Duration::from_secs(10);
/// After the first failure; doubles up to [`RETRY_AT_MOST`], and a random half is taken off.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_AT_MOST: Duration = Duration::from_secs(60);

/// Reconciles whenever this operator leads, until `stop`; then lets the reconciles under way end.
pub async fn run(operator: Arc<Operator>, mut leading: Leading, readiness: Readiness, stop: CancellationToken) {
    let apis: Vec<Api<ClassifierFleet>> = operator.scope.apis(&operator.kube);
    let all_known = async {
        join_all(apis.iter().map(fleets_are_known)).await;
        // Who lists gateways slowly is not waited for: each of them wakes its fleet.
        let _ = tokio::time::timeout(LISTED_WITHIN, join(operator.fleets.known(), operator.gateways.known())).await;
    };
    if stop.run_until_cancelled(all_known).await.is_none() {
        return;
    }
    // One that waits to lead is as ready as it can be: its Service and its roll-out must not wait for the leader's end.
    readiness.set(true);
    while stop.run_until_cancelled(leading.wait_for(|leads| *leads)).await.is_some_and(|leads| leads.is_ok()) {
        let mut term = leading.clone();
        let end = stop.child_token();
        let ended = end.clone();
        let reign = async {
            let over = async {
                // Without an election nobody ever says that it is over.
                if term.wait_for(|leads| !*leads).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            if end.run_until_cancelled(over).await.is_some() {
                end.cancel();
            }
        };
        operator.metrics.leading.set(1);
        tokio::join!(reign, controllers(&operator, &ended));
        operator.metrics.leading.set(0);
        // What is, the next one tells.
        operator.metrics.fleets.forget_all();
        if stop.is_cancelled() {
            break;
        }
    }
    readiness.set(false);
}

/// One controller for each namespace in scope, or one for all, until `end`.
async fn controllers(operator: &Arc<Operator>, end: &CancellationToken) {
    let apis = operator.scope.apis::<ClassifierFleet>(&operator.kube);
    join_all(apis.into_iter().map(|api| controller(operator.clone(), api, end.clone()))).await;
}

async fn controller(operator: Arc<Operator>, api: Api<ClassifierFleet>, end: CancellationToken) {
    let config = Config::default().concurrency(operator.settings.concurrency);
    let wake = operator.wake.stream(api.namespace().map(str::to_owned));
    let (store, writer) = reflector::store();
    let applied = events(api, watcher::Config::default()).reflect(writer).applied_objects();
    Controller::for_stream(applied, store)
        .with_config(config)
        .reconcile_on(wake)
        .graceful_shutdown_on(end.cancelled_owned())
        .run(reconcile, on_error, operator)
        .for_each(|result| async {
            if let Err(error @ kube::runtime::controller::Error::QueueError(_)) = result {
                tracing::warn!(%error, "fleets cannot be watched, trying again");
            }
        })
        .await;
}

/// Returns once the API server serves fleets. Not by waiting for the controller's store: of two that wait for a store,
/// kube 5.0 wakes only the last one polled (`DelayedInit` keeps one waker), and the controller itself is the other.
async fn fleets_are_known(api: &Api<ClassifierFleet>) {
    while let Err(error) = api.list_metadata(&ListParams::default().limit(1)).await {
        tracing::warn!(%error, "fleets cannot be listed, trying again; is the CRD installed (crds/classifierfleet.yaml), and may the operator list it?");
        tokio::time::sleep(UNKNOWN).await;
    }
}

fn on_error(fleet: Arc<ClassifierFleet>, error: &Error, operator: Arc<Operator>) -> Action {
    let uid = fleet.uid().unwrap_or_default();
    if error.is_conflict() {
        operator.memory.with(&uid, |remembered| (remembered.written, remembered.conflict) = (None, true));
        return Action::requeue(AFTER_CONFLICT);
    }
    let failures = operator.memory.with(&uid, |remembered| {
        remembered.failures += 1;
        remembered.failures
    });
    operator.metrics.reconcile_failures.with_label_values(&[error.stage()]).inc();
    tracing::error!(fleet = fleet.name_any(), namespace = fleet.namespace(), stage = error.stage(), failures, %error, "the fleet could not be reconciled, trying again");
    Action::requeue(pause(failures, 0.5 + operator.chance.fraction() / 2.0))
}

/// How long to wait after so many failures in a row; `jitter` is 0.5 to 1.
fn pause(failures: u32, jitter: f64) -> Duration {
    RETRY.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(RETRY_AT_MOST).mul_f64(jitter)
}
