//! The gateways' StatefulSets, watched once for all fleets.

use std::future::Future;

use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use tokio_util::sync::CancellationToken;

use crate::context::NAME;

/// The store of gateways, and the task that keeps it until `stop`.
pub fn watch(api: Api<StatefulSet>, stop: CancellationToken) -> (Store<StatefulSet>, impl Future<Output = ()>) {
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels(&format!("app.kubernetes.io/managed-by={NAME}"));
    let stream = watcher(api, config)
        .default_backoff()
        .modify(|gateway| gateway.managed_fields_mut().clear())
        .reflect(writer)
        .take_until(stop.cancelled_owned());
    let task = stream.for_each(|event| async {
        if let Err(error) = event {
            tracing::warn!(%error, "the gateways cannot be watched, trying again");
        }
    });
    (store, task)
}
