//! AWS as fleets see it: the clients of each region and endpoint, with one inventory of instances each, made when first needed.

use std::collections::HashMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use crds::ClassifierFleet;
use ec2::{Call, Ec2};
use service::aws::{Place, Sources};
use service::clock::Clock;
use service::traces::aws::CallSpans;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::context::{NAME, Outside};
use crate::metrics::Metrics;
use crate::observe::inventory::Inventory;
use crate::tasks::Tasks;

/// AWS in one region.
pub struct Cloud {
    /// As fleets name it.
    pub place: Place,
    /// The region.
    pub region: String,
    /// EC2.
    pub ec2: Ec2,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Instances of all fleets in the region.
    pub inventory: Inventory,
}

/// AWS in all regions that fleets are in.
pub struct Clouds {
    default_region: Option<String>,
    cluster: String,
    sources: Sources,
    clock: Clock,
    metrics: Metrics,
    tasks: Tasks,
    stop: CancellationToken,
    known: Mutex<HashMap<Place, Arc<Cloud>>>,
}

/// No region is known.
#[derive(Debug, thiserror::Error)]
#[error("no AWS region: set spec.region, or start the operator with --region or AWS_REGION")]
pub struct NoRegion;

impl Clouds {
    pub(crate) fn new(
        default_region: Option<String>,
        cluster: String,
        outside: &Outside,
        metrics: Metrics,
        tasks: Tasks,
        stop: CancellationToken,
    ) -> Self {
        let (sources, clock) = (outside.aws.clone(), outside.clock.clone());
        Self { default_region, cluster, sources, clock, metrics, tasks, stop, known: Mutex::default() }
    }

    /// AWS as `fleet` sees it.
    ///
    /// # Errors
    /// When neither fleet nor operator know a region.
    pub async fn of(&self, fleet: &ClassifierFleet) -> Result<Arc<Cloud>, NoRegion> {
        let region = fleet.spec.region.clone().or_else(|| self.default_region.clone());
        self.at(Place { region, endpoint_url: fleet.spec.endpoint_url.clone() }).await
    }

    /// AWS where fleets are that name no other place.
    ///
    /// # Errors
    /// When the operator knows no region.
    pub async fn default_one(&self) -> Result<Arc<Cloud>, NoRegion> {
        self.at(Place { region: self.default_region.clone(), endpoint_url: None }).await
    }

    /// All that were needed so far.
    pub async fn all(&self) -> Vec<Arc<Cloud>> {
        self.known.lock().await.values().cloned().collect()
    }

    async fn at(&self, place: Place) -> Result<Arc<Cloud>, NoRegion> {
        let mut known = self.known.lock().await;
        if let Some(cloud) = known.get(&place) {
            return Ok(cloud.clone());
        }
        let config = self.sources.config(NAME, &place).await;
        let cloud = Arc::new(self.connect(place.clone(), &config)?);
        tracing::info!(region = cloud.region, endpoint = place.endpoint_url, "fleets of this region are kept");
        known.insert(place, cloud.clone());
        Ok(cloud)
    }

    fn connect(&self, place: Place, config: &SdkConfig) -> Result<Cloud, NoRegion> {
        let region = config.region().map(ToString::to_string).ok_or(NoRegion)?;
        self.metrics.begin_region(&region);
        let ec2 = Ec2::observed(config, observer(self.metrics.clone(), region.clone()));
        let (inventory, task) = Inventory::start(
            ec2.clone(),
            self.cluster.clone(),
            region.clone(),
            self.clock.clone(),
            self.metrics.clone(),
            self.stop.clone(),
        );
        self.tasks.spawn("inventory", task);
        let sqs = aws_sdk_sqs::config::Builder::from(config).interceptor(CallSpans).build();
        let s3 = aws_sdk_s3::config::Builder::from(config).interceptor(CallSpans).build();
        let (sqs, s3) = (aws_sdk_sqs::Client::from_conf(sqs), aws_sdk_s3::Client::from_conf(s3));
        Ok(Cloud { place, region, ec2, sqs, s3, inventory })
    }
}

fn observer(metrics: Metrics, region: String) -> ec2::Observer {
    Arc::new(move |call: &Call<'_>| {
        let labels = [region.as_str(), call.action, call.outcome];
        metrics.ec2_calls.with_label_values(&labels).inc();
        metrics.ec2_waits.with_label_values(&labels[..2]).observe(call.waited.as_secs_f64());
    })
}
