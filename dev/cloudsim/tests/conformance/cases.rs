//! Owns the form of a case, and the few steps that many of them share.

use std::future::Future;
use std::pin::Pin;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{Filter, InstanceType, RequestLaunchTemplateData, ResourceType, Tag, TagSpecification};

use crate::backend::{Backend, IMAGE};

/// Something that EC2 documents, as a question and the answer in a few words.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Backend) -> Pin<Box<dyn Future<Output = String>>>,
    /// What EC2 answers as documented, and so cloudsim.
    pub(crate) ec2: &'static str,
    pub(crate) moto: Moto,
}

/// moto's opinion.
pub(crate) enum Moto {
    /// The same.
    Agrees,
    /// Another one, and who is right.
    Differs { answers: &'static str, because: &'static str },
}

/// A case: name, async function, EC2's answer, moto's.
macro_rules! case {
    ($run:ident, $ec2:expr) => {
        case!($run, $ec2, $crate::cases::Moto::Agrees)
    };
    ($run:ident, $ec2:expr, moto $answers:expr, because $because:expr) => {
        case!($run, $ec2, $crate::cases::Moto::Differs { answers: $answers, because: $because })
    };
    ($run:ident, $ec2:expr, $moto:expr) => {
        $crate::cases::Case { name: stringify!($run), run: |backend| Box::pin($run(backend)), ec2: $ec2, moto: $moto }
    };
}
pub(crate) use case;

/// RunInstances of exactly `count`.
pub(crate) fn launch(backend: &Backend, count: i32) -> RunInstancesFluentBuilder {
    backend.ec2.run_instances().image_id(IMAGE).instance_type(InstanceType::T3Small).min_count(count).max_count(count)
}

/// The ids of a launch of `count`.
pub(crate) async fn launched(backend: &Backend, count: i32) -> Vec<String> {
    ids(launch(backend, count).send().await.unwrap().instances())
}

/// The instances' ids.
pub(crate) fn ids(instances: &[aws_sdk_ec2::types::Instance]) -> Vec<String> {
    instances.iter().map(|instance| instance.instance_id().unwrap().to_owned()).collect()
}

/// Tags for the instances of a launch.
pub(crate) fn instance_tags(tags: &[(&str, &str)]) -> TagSpecification {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    TagSpecification::builder().resource_type(ResourceType::Instance).set_tags(Some(tags)).build()
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

pub(crate) fn filter(name: &str, values: &[&str]) -> Filter {
    Filter::builder().name(name).set_values(Some(values.iter().map(ToString::to_string).collect())).build()
}

/// `Key=value` of all, by key.
pub(crate) fn shown(tags: &[Tag]) -> String {
    let mut pairs: Vec<String> =
        tags.iter().map(|tag| format!("{}={}", tag.key().unwrap_or_default(), tag.value().unwrap_or_default())).collect();
    pairs.sort();
    pairs.join(",")
}

/// Launch template data of an image and a type.
pub(crate) fn template_data(instance_type: InstanceType) -> RequestLaunchTemplateData {
    RequestLaunchTemplateData::builder().image_id(IMAGE).instance_type(instance_type).build()
}

/// How many instances match.
pub(crate) async fn count(backend: &Backend, filters: &[Filter]) -> usize {
    let answer = backend.ec2.describe_instances().set_filters(Some(filters.to_vec())).send().await.unwrap();
    answer.reservations().iter().map(|reservation| reservation.instances().len()).sum()
}
