//! Which namespaces the operator keeps, and all that it watches in them: fleets, their gateways and their wake Leases.

use std::sync::Arc;

use crds::ClassifierFleet;
use futures::future::join_all;
use futures::{Stream, StreamExt as _};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::{self, Lookup, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// Namespaces that the operator keeps; none: all.
#[derive(Debug, Clone, Default)]
pub struct Scope(Vec<String>);

impl Scope {
    /// These namespaces; none: all.
    pub fn of(namespaces: &[String]) -> Self {
        let mut namespaces = namespaces.to_vec();
        namespaces.sort();
        namespaces.dedup();
        Self(namespaces)
    }

    /// Whether the operator keeps fleets of `namespace`.
    pub fn covers(&self, namespace: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|name| name == namespace)
    }

    /// Access to all objects of a kind in scope: one for each namespace, or one for all of them.
    pub fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self.0.as_slice() {
            [] => vec![Api::all(client.clone())],
            namespaces => namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect(),
        }
    }
}

/// Objects of a kind, kept up to date by watches.
#[derive(Clone)]
pub struct Watched<K: Lookup<DynamicType = ()> + Clone + 'static>(Vec<Store<K>>);

impl<K> Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + std::fmt::Debug + DeserializeOwned + 'static,
{
    /// Those in `stores`.
    pub fn in_stores(stores: Vec<Store<K>>) -> Self {
        Self(stores)
    }

    /// Starts to watch the objects of `apis` that `config` selects; `slim` takes from each what is not needed, `wake` is told
    /// each that changed, and whether it was deleted.
    pub fn start(
        apis: Vec<Api<K>>,
        config: &watcher::Config,
        tasks: &Tasks,
        stop: &CancellationToken,
        slim: fn(&mut K),
        wake: impl Fn(&K, bool) + Clone + Send + Sync + 'static,
    ) -> Self {
        let watch = |api: Api<K>| {
            let (store, writer) = reflector::store();
            let stream = events(api, config.clone()).modify(slim).reflect(writer).take_until(stop.clone().cancelled_owned());
            tasks.spawn("watch", told(stream, wake.clone()));
            store
        };
        Self(apis.into_iter().map(watch).collect())
    }

    /// Returns once all that there were at the start are known.
    pub async fn known(&self) {
        // A watch that ended before was asked to stop.
        let _ = join_all(self.0.iter().map(Store::wait_until_ready)).await;
    }

    /// All that are known.
    pub fn state(&self) -> Vec<Arc<K>> {
        self.0.iter().flat_map(Store::state).collect()
    }

    /// The object of this name.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = ObjectRef::new(name).within(namespace);
        self.0.iter().find_map(|store| store.get(&key))
    }
}

/// Watches the objects of `apis` that `config` selects and keeps none; `tell` is told each that changed, and whether it was deleted.
pub fn watch<K>(
    apis: Vec<Api<K>>,
    config: &watcher::Config,
    tasks: &Tasks,
    stop: &CancellationToken,
    tell: impl Fn(&K, bool) + Clone + Send + Sync + 'static,
) where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + std::fmt::Debug + DeserializeOwned + 'static,
{
    for api in apis {
        let stream = events(api, config.clone()).take_until(stop.clone().cancelled_owned());
        tasks.spawn("watch", told(stream, tell.clone()));
    }
}

type Event<K> = Result<watcher::Event<K>, watcher::Error>;

/// Objects in one page of a list. They are read at once, and memory that lists needed once is hardly ever given back.
const PAGE: u32 = 100;

/// What happens to the objects of `api`. Who owns which of their fields is most of each, and left out.
pub fn events<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = Event<K>> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + std::fmt::Debug + DeserializeOwned + 'static,
{
    watcher(api, config.page_size(PAGE)).default_backoff().modify(|object| object.managed_fields_mut().clear())
}

async fn told<K: Resource<DynamicType = ()>>(events: impl Stream<Item = Event<K>>, tell: impl Fn(&K, bool)) {
    let one = async |event: Event<K>| match event {
        Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object)) => tell(&object, false),
        Ok(watcher::Event::Delete(object)) => tell(&object, true),
        Ok(watcher::Event::Init | watcher::Event::InitDone) => {}
        Err(error) => tracing::warn!(kind = %K::kind(&()), %error, "cannot be watched, trying again"),
    };
    events.for_each(one).await;
}

/// Tells the controllers that a fleet should be looked at now.
#[derive(Clone)]
pub struct Wake(broadcast::Sender<ObjectRef<ClassifierFleet>>);

/// Fleets that may be told of and not yet looked at. A controller that lags behind further misses some, and polls them later.
const TOLD_AT_MOST: usize = 4096;

impl Default for Wake {
    fn default() -> Self {
        Self(broadcast::channel(TOLD_AT_MOST).0)
    }
}

impl Wake {
    /// The fleet should be looked at now.
    pub fn fleet(&self, namespace: &str, name: &str) {
        // Nobody listens while this operator does not lead.
        self.0.send(ObjectRef::new(name).within(namespace)).ok();
    }

    /// Fleets of `namespace` (none: of all) to be looked at.
    pub fn stream(&self, namespace: Option<String>) -> impl Stream<Item = ObjectRef<ClassifierFleet>> + Send + use<> {
        let told = futures::stream::unfold(self.0.subscribe(), |mut told| async move {
            loop {
                match told.recv().await {
                    Ok(fleet) => return Some((fleet, told)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        });
        told.filter(move |fleet| {
            let ours = namespace.is_none() || fleet.namespace == namespace;
            async move { ours }
        })
    }
}

/// Label that names the fleet which an object belongs to.
pub const FLEET_LABEL: &str = "classifierfleet.dev/fleet";

/// Wakes the fleet that an object's label names.
pub fn by_label<K: Resource<DynamicType = ()>>(wake: &Wake) -> impl Fn(&K, bool) + Clone + Send + Sync + 'static + use<K> {
    let wake = wake.clone();
    move |object, _deleted| {
        if let (Some(namespace), Some(fleet)) = (ResourceExt::namespace(object), object.labels().get(FLEET_LABEL)) {
            wake.fleet(&namespace, fleet);
        }
    }
}
