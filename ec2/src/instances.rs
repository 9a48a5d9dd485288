//! Instances: launch, list, tag, terminate.

use aws_sdk_ec2::types::{
    Filter, Instance as SdkInstance, InstanceStateName, InstanceType, LaunchTemplateSpecification, ResourceType, Tag, TagSpecification,
};
use jiff::Timestamp;

use crate::{Ec2, Error};

/// A launch. The same token with the same content launches once, however often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// ClientToken, at most 64 ASCII characters.
    pub token: String,
    /// Name of the launch template.
    pub template: String,
    /// Its version.
    pub template_version: i64,
    /// Instance type, over the template's.
    pub instance_type: String,
    /// Subnet, over the default one.
    pub subnet_id: Option<String>,
    /// Instances wanted; EC2 launches at least one and as many of these as it has room for.
    pub count: i32,
    /// Tags of each instance.
    pub tags: Vec<(String, String)>,
}

/// An instance as EC2 lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// EC2's id.
    pub id: String,
    /// Its state.
    pub state: InstanceState,
    /// When it was launched, or last started.
    pub launched_at: Timestamp,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// State of an instance, as EC2 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InstanceState {
    Pending,
    Running,
    Stopping,
    Stopped,
    ShuttingDown,
    Terminated,
}

impl Instance {
    /// Value of the tag `key`.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Ec2 {
    /// Launches instances and answers with their ids.
    ///
    /// # Errors
    /// As EC2 answers; [`Error::verdict`] tells whether instances may have been launched.
    pub async fn run_instances(&self, launch: &Launch) -> Result<Vec<String>, Error> {
        let template = LaunchTemplateSpecification::builder()
            .launch_template_name(&launch.template)
            .version(launch.template_version.to_string())
            .build();
        let tags = TagSpecification::builder().resource_type(ResourceType::Instance).set_tags(Some(sdk_tags(&launch.tags))).build();
        let answer = self
            .client
            .run_instances()
            .client_token(&launch.token)
            .launch_template(template)
            .instance_type(InstanceType::from(launch.instance_type.as_str()))
            .set_subnet_id(launch.subnet_id.clone())
            .min_count(1)
            .max_count(launch.count)
            .tag_specifications(tags)
            .send()
            .await
            .map_err(|error| Error::of("RunInstances", &error))?;
        Ok(answer.instances().iter().filter_map(|instance| instance.instance_id.clone()).collect())
    }

    /// All instances that carry the tag `key`, with whatever value, terminated ones too while EC2 lists them.
    ///
    /// # Errors
    /// As EC2 answers. A list that breaks off between two pages is an error as a whole.
    pub async fn instances_with_tag(&self, key: &str) -> Result<Vec<Instance>, Error> {
        self.describe(Filter::builder().name("tag-key").values(key).build()).await
    }

    /// All instances whose tag `key` has this value.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn instances_tagged(&self, key: &str, value: &str) -> Result<Vec<Instance>, Error> {
        self.describe(Filter::builder().name(format!("tag:{key}")).values(value).build()).await
    }

    async fn describe(&self, filter: Filter) -> Result<Vec<Instance>, Error> {
        let mut pages = self.client.describe_instances().filters(filter).into_paginator().page_size(1000).send();
        let mut instances = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::of("DescribeInstances", &error))?;
            instances.extend(page.reservations().iter().flat_map(|reservation| reservation.instances()).filter_map(read));
        }
        Ok(instances)
    }

    /// Sets `tags` on each of `ids`, in one call.
    ///
    /// # Errors
    /// As EC2 answers; one unknown id fails the whole call.
    pub async fn create_tags(&self, ids: &[String], tags: &[(String, String)]) -> Result<(), Error> {
        let call = self.client.create_tags().set_resources(Some(ids.to_vec())).set_tags(Some(sdk_tags(tags)));
        call.send().await.map(drop).map_err(|error| Error::of("CreateTags", &error))
    }

    /// Terminates each of `ids`. An id that EC2 does not know fails its whole call, so then each is asked for alone, and
    /// those that EC2 does not know are taken for gone.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn terminate_instances(&self, ids: &[String]) -> Result<(), Error> {
        match self.terminate(ids).await {
            Err(error) if error.is("InvalidInstanceID.NotFound") && ids.len() > 1 => {
                for id in ids {
                    self.terminate(std::slice::from_ref(id)).await.or_else(gone_is_fine)?;
                }
                Ok(())
            }
            answer => answer.or_else(gone_is_fine),
        }
    }

    async fn terminate(&self, ids: &[String]) -> Result<(), Error> {
        let call = self.client.terminate_instances().set_instance_ids(Some(ids.to_vec()));
        call.send().await.map(drop).map_err(|error| Error::of("TerminateInstances", &error))
    }
}

fn gone_is_fine(error: Error) -> Result<(), Error> {
    if error.is("InvalidInstanceID.NotFound") { Ok(()) } else { Err(error) }
}

pub(crate) fn sdk_tags(tags: &[(String, String)]) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn read(instance: &SdkInstance) -> Option<Instance> {
    let state = match instance.state()?.name()? {
        InstanceStateName::Pending => InstanceState::Pending,
        InstanceStateName::Running => InstanceState::Running,
        InstanceStateName::Stopping => InstanceState::Stopping,
        InstanceStateName::Stopped => InstanceState::Stopped,
        InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        InstanceStateName::Terminated => InstanceState::Terminated,
        // A state that we do not know is one that we must count: it may cost money.
        _ => InstanceState::Running,
    };
    let launched = instance.launch_time()?;
    Some(Instance {
        id: instance.instance_id()?.to_owned(),
        state,
        launched_at: Timestamp::new(launched.secs(), i32::try_from(launched.subsec_nanos()).ok()?).ok()?,
        tags: instance.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect(),
    })
}
