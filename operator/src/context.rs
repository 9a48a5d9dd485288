//! What all reconciles share: clients, what is watched, the memory of each fleet, metrics.

use std::sync::Arc;

use anyhow::Context as _;
use crds::ClassifierFleet;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::clouds::Clouds;
use crate::drift::Drift;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::observe::wake::Uploads;
use crate::prices::Prices;
use crate::scope::{self, Scope, Wake, Watched, by_label};
use crate::settings::Settings;
use crate::tasks::Tasks;

/// Name under which the operator owns fields and reports events.
pub const NAME: &str = "classifierfleet-operator";
/// Name under which gateways own their Leases.
pub const GATEWAY: &str = "classifierfleet-gateway";

/// What all reconciles share.
pub struct Operator {
    /// Command line and environment.
    pub settings: Settings,
    /// Namespaces that are kept.
    pub scope: Scope,
    /// The Kubernetes API.
    pub kube: Client,
    /// Names the cluster in tags, so that two clusters in one account leave each other's instances alone.
    pub cluster: String,
    /// AWS, by region.
    pub clouds: Clouds,
    /// All fleets in scope, without their status.
    pub fleets: Watched<ClassifierFleet>,
    /// The gateways' StatefulSets, without their spec.
    pub gateways: Watched<StatefulSet>,
    /// What gateways say of uploads that wait.
    pub uploads: Uploads,
    /// Tells the controllers to look at a fleet now.
    pub wake: Wake,
    /// What is remembered of each fleet.
    pub memory: Arc<Memory>,
    /// What instances cost.
    pub prices: Prices,
    /// What Prometheus sees.
    pub metrics: Metrics,
    /// Publishes events.
    pub events: Recorder,
}

impl Operator {
    /// Connects to Kubernetes and AWS, and starts what runs beside the controllers.
    pub async fn start(
        settings: Settings,
        registry: &Registry,
        kube: Client,
        tasks: &Tasks,
        stop: &CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let metrics = Metrics::register(registry)?;
        let prices = settings.price_file.as_deref().map(Prices::read).transpose()?.unwrap_or_default();
        let cluster = cluster(&kube, &settings).await?;
        let (scope, wake) = (Scope::of(&settings.namespaces), Wake::default());
        let clouds = Clouds::new(settings.region.clone(), cluster.clone(), metrics.clone(), tasks.clone(), stop.clone());
        let memory = Arc::new(Memory::default());
        let drift = Drift::new(memory.clone(), wake.clone());
        drift.watch::<StatefulSet>(&scope, &kube, tasks, stop);
        drift.watch::<Service>(&scope, &kube, tasks, stop);
        drift.watch::<ServiceAccount>(&scope, &kube, tasks, stop);
        drift.watch::<Role>(&scope, &kube, tasks, stop);
        drift.watch::<RoleBinding>(&scope, &kube, tasks, stop);
        drift.watch::<PodDisruptionBudget>(&scope, &kube, tasks, stop);
        let labelled = |manager: &str| watcher::Config::default().labels(&format!("app.kubernetes.io/managed-by={manager}"));
        let (uploads, told) = (Uploads::default(), by_label(&wake));
        let heard = uploads.clone();
        scope::watch(scope.apis(&kube), &labelled(GATEWAY), tasks, stop, move |lease: &Lease, deleted| {
            heard.hear(lease, deleted);
            told(lease, deleted);
        });
        let operator = Self {
            fleets: Watched::start(scope.apis(&kube), &watcher::Config::default(), tasks, stop, |fleet| fleet.status = None, |_, _| {}),
            gateways: Watched::start(scope.apis(&kube), &labelled(NAME), tasks, stop, |set| set.spec = None, by_label(&wake)),
            events: Recorder::new(kube.clone(), reporter()),
            uploads,
            memory,
            settings,
            scope,
            kube,
            cluster,
            clouds,
            wake,
            prices,
            metrics,
        };
        Ok(Arc::new(operator))
    }

    /// The API of the namespace that `fleet` lives in.
    pub fn api(&self, fleet: &ClassifierFleet) -> Api<ClassifierFleet> {
        Api::namespaced(self.kube.clone(), fleet.metadata.namespace.as_deref().unwrap_or("default"))
    }
}

/// The usual name of a cluster among programs: the uid of its namespace kube-system.
async fn cluster(kube: &Client, settings: &Settings) -> anyhow::Result<String> {
    if let Some(name) = &settings.cluster {
        return Ok(name.clone());
    }
    let namespaces: Api<Namespace> = Api::all(kube.clone());
    let system = namespaces
        .get("kube-system")
        .await
        .context("the namespace kube-system cannot be read: let the operator get it, or name the cluster by --cluster")?;
    system.uid().context("the namespace kube-system has no uid")
}

/// In whose name events are reported.
pub fn reporter() -> Reporter {
    Reporter { controller: NAME.to_owned(), instance: std::env::var("HOSTNAME").ok() }
}
