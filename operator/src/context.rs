//! What all reconciles share: clients, the inventory, the memory of each fleet, metrics.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use crds::ClassifierFleet;
use futures::future::BoxFuture;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Api, Client};
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::observe::gateways;
use crate::observe::inventory::Inventory;
use crate::settings::Settings;

/// Name under which the operator owns fields and reports events.
pub const NAME: &str = "classifierfleet-operator";

/// What all reconciles share.
pub struct Operator {
    /// Command line and environment.
    pub settings: Settings,
    /// The Kubernetes API.
    pub kube: Client,
    /// EC2.
    pub ec2: ec2::Ec2,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Region of all fleets.
    pub region: String,
    /// Instances of all fleets.
    pub inventory: Inventory,
    /// The gateways' StatefulSets.
    pub gateways: Store<StatefulSet>,
    /// What is remembered of each fleet.
    pub memory: Memory,
    /// What Prometheus sees.
    pub metrics: Metrics,
    /// Publishes events.
    pub events: Recorder,
}

/// What runs beside the controller.
pub struct Tasks {
    /// Lists instances.
    pub inventory: BoxFuture<'static, ()>,
    /// Watches gateways.
    pub gateways: BoxFuture<'static, ()>,
}

impl Operator {
    /// Connects to Kubernetes and AWS.
    pub async fn start(settings: Settings, registry: &Registry, stop: CancellationToken) -> anyhow::Result<(Arc<Self>, Tasks)> {
        let kube = Client::try_default().await.context("no Kubernetes API: set KUBECONFIG, or run in a pod with a service account")?;
        let aws = service::aws::config("classifierfleet-operator", &service::aws::Place::default()).await;
        let region = aws.region().map(ToString::to_string).context("no AWS region: set AWS_REGION")?;
        let ec2 = ec2::Ec2::new(&aws);
        let metrics = Metrics::register(registry)?;
        let (inventory, inventory_task) = Inventory::start(ec2.clone(), metrics.clone(), stop.clone());
        let (gateways, gateways_task) = gateways::watch(Api::all(kube.clone()), stop);
        let events = Recorder::new(kube.clone(), reporter());
        let operator = Self {
            sqs: aws_sdk_sqs::Client::new(&aws),
            s3: aws_sdk_s3::Client::new(&aws),
            memory: Memory::default(),
            settings,
            kube,
            ec2,
            region,
            inventory,
            gateways,
            metrics,
            events,
        };
        Ok((Arc::new(operator), Tasks { inventory: boxed(inventory_task), gateways: boxed(gateways_task) }))
    }

    /// The API of the namespace that `fleet` lives in.
    pub fn fleets(&self, fleet: &ClassifierFleet) -> Api<ClassifierFleet> {
        Api::namespaced(self.kube.clone(), fleet.metadata.namespace.as_deref().unwrap_or("default"))
    }
}

/// In whose name events are reported.
pub fn reporter() -> Reporter {
    Reporter { controller: NAME.to_owned(), instance: std::env::var("HOSTNAME").ok() }
}

fn boxed(task: impl Future<Output = ()> + Send + 'static) -> BoxFuture<'static, ()> {
    Box::pin(task)
}
