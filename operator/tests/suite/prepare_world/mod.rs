//! One fleet with queues and buckets of its own in the SQS and S3 of the environment.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use crds::ClassifierFleet;
use operator::prepare::Fault;
use operator::prepare::buckets::Place;
use operator::prepare::names::Fleets;
use operator::prepare::owner::{Owner, Registry, Tags};
use operator::prepare::queues::{self, Survey, Urls};
use uuid::Uuid;

/// Knows the uids of fleets that live.
pub struct Living(pub Vec<String>);

impl Registry for Living {
    async fn lives(&self, owner: &Owner) -> Result<bool, Fault> {
        Ok(self.0.contains(&owner.uid))
    }
}

pub const NOBODY: Living = Living(Vec::new());

/// One fleet with names that nobody else has.
pub struct World {
    pub sqs: aws_sdk_sqs::Client,
    pub s3: aws_sdk_s3::Client,
    pub fleet: ClassifierFleet,
    /// Fleets that are known beside it.
    pub others: Vec<ClassifierFleet>,
}

impl World {
    pub async fn new(change: impl FnOnce(&mut ClassifierFleet)) -> Self {
        let missing = "AWS_ENDPOINT_URL_SQS and _S3 must name a local SQS and S3, as cargo xtask test sets them";
        assert!(["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3"].iter().all(|name| std::env::var_os(name).is_some()), "{missing}");
        let aws = service::aws::config("classifierfleet-operator-test", &service::aws::Place::default()).await;
        let fleet = fleet(&Uuid::new_v4().simple().to_string(), change);
        Self { sqs: aws_sdk_sqs::Client::new(&aws), s3: aws_sdk_s3::Client::new(&aws), fleet, others: Vec::new() }
    }

    pub fn owner(&self) -> Owner {
        Owner::of(&self.fleet, "east")
    }

    /// Another fleet of the same spec, which came after this one had gone or while it lives.
    pub fn successor(&self, change: impl FnOnce(&mut ClassifierFleet)) -> Self {
        let mut fleet = self.fleet.clone();
        fleet.metadata.uid = Some(Uuid::new_v4().to_string());
        change(&mut fleet);
        Self { sqs: self.sqs.clone(), s3: self.s3.clone(), fleet, others: Vec::new() }
    }

    pub async fn queues(&self, known: Urls, registry: &Living) -> Result<Urls, Fault> {
        let survey: Survey = queues::survey(&self.sqs, &self.owner(), &self.fleet, known, registry).await?;
        queues::ensure(&self.sqs, &self.owner(), &self.fleet, survey).await
    }

    pub async fn buckets(&self, registry: &Living) -> Result<(), Fault> {
        let (owner, fleets) = (self.owner(), self.fleets());
        let place = Place { s3: &self.s3, region: "us-east-1", owner: &owner, fleets: &fleets };
        place.ensure(&self.fleet, &mut BTreeSet::new(), registry).await
    }

    pub async fn delete_buckets(&self, batches: u32) -> Result<(), Fault> {
        let (owner, fleets) = (self.owner(), self.fleets());
        Place { s3: &self.s3, region: "us-east-1", owner: &owner, fleets: &fleets }.delete(&self.fleet, batches).await
    }

    pub fn fleets(&self) -> Fleets {
        let all = [&self.fleet].into_iter().chain(&self.others).map(|fleet| Arc::new(fleet.clone())).collect();
        Fleets { all, default_region: Some("us-east-1".to_owned()) }
    }

    pub async fn attribute(&self, queue: &str, name: Name) -> Option<String> {
        let url = self.url(queue).await.unwrap();
        let answer = self.sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await.unwrap();
        answer.attributes.unwrap().remove(&name)
    }

    pub async fn url(&self, queue: &str) -> Option<String> {
        self.sqs.get_queue_url().queue_name(queue).send().await.ok().and_then(|answer| answer.queue_url)
    }

    pub async fn queue_tags(&self, queue: &str) -> Tags {
        let url = self.url(queue).await.unwrap();
        self.sqs.list_queue_tags().queue_url(url).send().await.unwrap().tags.unwrap_or_default()
    }

    pub async fn bucket_tags(&self, bucket: &str) -> Tags {
        let answer = self.s3.get_bucket_tagging().bucket(bucket).send().await;
        answer.map(|answer| answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()).unwrap_or_default()
    }

    pub async fn bucket_exists(&self, bucket: &str) -> bool {
        self.s3.head_bucket().bucket(bucket).send().await.is_ok()
    }

    /// Ids of the bucket's lifecycle rules, with their days.
    pub async fn rules(&self, bucket: &str) -> Vec<(String, i32)> {
        let Ok(answer) = self.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await else { return Vec::new() };
        answer.rules().iter().map(|rule| (rule.id().unwrap().to_owned(), rule.expiration().unwrap().days().unwrap())).collect()
    }

    pub async fn put(&self, bucket: &str, key: String) {
        self.s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(b"image")).send().await.unwrap();
    }

    pub fn request(&self) -> &str {
        &self.fleet.spec.queues.request.name
    }

    pub fn input(&self) -> &str {
        &self.fleet.spec.storage.input_bucket
    }

    pub fn output(&self) -> &str {
        &self.fleet.spec.storage.output_bucket
    }
}

pub fn fleet(unique: &str, change: impl FnOnce(&mut ClassifierFleet)) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../../examples/imagenet.yaml")).unwrap();
    fleet.metadata.namespace = Some("photos".to_owned());
    fleet.metadata.uid = Some(Uuid::new_v4().to_string());
    fleet.spec.queues.request.name = format!("requests-{unique}");
    fleet.spec.queues.response.name = format!("responses-{unique}");
    fleet.spec.storage.input_bucket = format!("in-{unique}");
    fleet.spec.storage.output_bucket = format!("out-{unique}");
    change(&mut fleet);
    fleet
}
