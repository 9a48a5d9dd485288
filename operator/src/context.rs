//! What all reconciles share: clients, what is watched, the memory of each fleet, metrics.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use crds::ClassifierFleet;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::watcher;
use kube::{Api, Client, Config, ResourceExt as _};
use prometheus::Registry;
use service::aws::Sources;
use service::chance::Chance;
use service::clock::Clock;
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

/// What the operator reaches, and by what it tells the time and draws lots.
#[derive(Clone)]
pub struct Outside {
    /// The Kubernetes API.
    pub kube: Client,
    /// How AWS is reached, and with what credentials.
    pub aws: Sources,
    /// The wall clock. What is measured rather than dated goes by tokio's time.
    pub clock: Clock,
    /// What names launches and scatters retries.
    pub chance: Chance,
}

/// What the API server may take to answer, or to say anything in a watch, which ends by itself after 290 s. Without a limit a connection
/// that broke unnoticed would leave the operator without news for ever.
pub const SILENCE_AT_MOST: Duration = Duration::from_secs(300);

/// The Kubernetes API as the environment names it.
///
/// # Errors
/// When the environment names none.
pub async fn kubernetes() -> anyhow::Result<Client> {
    let mut config = Config::infer().await.context("no Kubernetes API: set KUBECONFIG, or run in a pod with a service account")?;
    config.read_timeout = Some(SILENCE_AT_MOST);
    config.reset_reader_on_write = true;
    Ok(Client::try_from(config)?)
}

impl Outside {
    /// What the environment says.
    #[must_use]
    pub fn new(kube: Client) -> Self {
        Self { kube, aws: Sources::default(), clock: Clock::default(), chance: Chance::default() }
    }
}

/// What all reconciles share.
pub struct Operator {
    /// Command line and environment.
    pub settings: Settings,
    /// Namespaces that are kept.
    pub scope: Scope,
    /// The Kubernetes API.
    pub kube: Client,
    /// The wall clock.
    pub clock: Clock,
    /// What names launches and scatters retries.
    pub chance: Chance,
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
        outside: Outside,
        tasks: &Tasks,
        stop: &CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let metrics = Metrics::register(registry)?;
        let prices = settings.price_file.as_deref().map(Prices::read).transpose()?.unwrap_or_default();
        let kube = outside.kube.clone();
        let cluster = cluster(&kube, &settings).await?;
        let (scope, wake) = (Scope::of(&settings.namespaces), Wake::default());
        let clouds = Clouds::new(settings.region.clone(), cluster.clone(), &outside, metrics.clone(), tasks.clone(), stop.clone());
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
            clock: outside.clock,
            chance: outside.chance,
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
