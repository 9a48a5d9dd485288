//! Objects of a fleet that somebody changed or deleted: the fleet is looked at at once, and what it needs is made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::context::NAME;
use crate::memory::Memory;
use crate::scope::{self, FLEET_LABEL, Scope, Wake};
use crate::tasks::Tasks;

/// Tells drift from what is to be expected.
#[derive(Clone)]
pub struct Drift {
    memory: Arc<Memory>,
    wake: Wake,
    /// What each object, by uid, looked like last: its generation, or its resourceVersion for kinds that have none.
    seen: Arc<Mutex<HashMap<String, String>>>,
}

impl Drift {
    /// Forgets in `memory` what a fleet needs when an object of it changes, and wakes it.
    pub fn new(memory: Arc<Memory>, wake: Wake) -> Self {
        Self { memory, wake, seen: Arc::default() }
    }

    /// Watches the operator's objects of kind `K`, their metadata only.
    pub fn watch<K>(&self, scope: &Scope, client: &Client, tasks: &Tasks, stop: &CancellationToken)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let config = watcher::Config::default().labels(&format!("app.kubernetes.io/managed-by={NAME}"));
        for api in scope.apis::<PartialObjectMeta<K>>(client) {
            tasks.spawn("watch", self.clone().follow(api, config.clone(), stop.clone()));
        }
    }

    async fn follow<K>(self, api: Api<PartialObjectMeta<K>>, config: watcher::Config, stop: CancellationToken)
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let events = scope::events(api, config).take_until(stop.cancelled_owned());
        events
            .for_each(async |event: Result<watcher::Event<PartialObjectMeta<K>>, watcher::Error>| match event {
                Ok(watcher::Event::Apply(object)) => self.changed(&object, false),
                Ok(watcher::Event::Delete(object)) => self.changed(&object, true),
                // What is there at the start is compared when it is applied.
                Ok(watcher::Event::InitApply(object)) => drop(self.is_new(&object)),
                Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
                Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "cannot be watched, trying again"),
            })
            .await;
    }

    /// `object` was written, or `deleted`, by whomever. Our own writes show here too: the next apply then changes nothing.
    fn changed<K: Resource<DynamicType = ()>>(&self, object: &K, deleted: bool) {
        if deleted {
            self.seen().remove(&object.uid().unwrap_or_default());
        } else if !self.is_new(object) {
            return;
        }
        let fleet = object.labels().get(FLEET_LABEL);
        let owner = object.owner_references().iter().find(|owner| owner.controller == Some(true));
        if let (Some(namespace), Some(fleet), Some(owner)) = (object.namespace(), fleet, owner) {
            self.memory.with(&owner.uid, |remembered| {
                remembered.needs = None;
                remembered.disturbed += 1;
            });
            self.wake.fleet(&namespace, fleet);
        }
    }

    /// Whether more than the status changed since `object` was last seen.
    fn is_new<K: Resource<DynamicType = ()>>(&self, object: &K) -> bool {
        let generation = object.meta().generation.map(|generation| generation.to_string());
        let version = generation.or_else(|| object.resource_version()).unwrap_or_default();
        self.seen().insert(object.uid().unwrap_or_default(), version.clone()) != Some(version)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
