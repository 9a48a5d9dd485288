//! Instances as EC2 lists them.

use aws_sdk_ec2::types::{Filter, Instance as SdkInstance, InstanceLifecycleType, InstanceStateName, InstanceType, Tag};
use jiff::Timestamp;

use crate::actions::DESCRIBE_INSTANCES;
use crate::{Ec2, Error};

/// EC2's limit for one page.
const PAGE: i32 = 1000;

/// An instance as EC2 lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// EC2's id.
    pub id: String,
    /// Its state.
    pub state: InstanceState,
    /// When it was launched, or last started.
    pub launched_at: Timestamp,
    /// Its type, such as `t3.small`.
    pub instance_type: String,
    /// Its subnet; an instance that is terminated may have lost it.
    pub subnet_id: Option<String>,
    /// Its availability zone.
    pub zone: Option<String>,
    /// Its address in its VPC; an instance that is terminated has none any more.
    pub private_ip: Option<String>,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Code of why it last changed its state, such as `Client.UserInitiatedShutdown` or `Server.SpotInstanceTermination`;
    /// a running instance has none.
    pub state_reason: Option<String>,
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
    /// As EC2 answers. A list that breaks off between two pages is an error as a whole.
    pub async fn instances_tagged(&self, key: &str, value: &str) -> Result<Vec<Instance>, Error> {
        self.describe(Filter::builder().name(format!("tag:{key}")).values(value).build()).await
    }

    /// Page by page, each through the gate: the SDK's paginator would pass it once.
    async fn describe(&self, filter: Filter) -> Result<Vec<Instance>, Error> {
        let call = self.api.client.describe_instances().filters(filter).max_results(PAGE);
        let mut instances = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.api.gate.call(DESCRIBE_INSTANCES, || call.clone().set_next_token(next.clone()).send()).await?;
            instances.extend(page.reservations().iter().flat_map(|reservation| reservation.instances()).filter_map(read));
            let after = next_page(DESCRIBE_INSTANCES.name, next.as_deref(), page.next_token)?;
            let Some(token) = after else { return Ok(instances) };
            next = Some(token);
        }
    }
}

/// The token of the page after the one that was asked for with `asked`; none when that was the last. A list that leads back
/// to the same page would never end.
pub(crate) fn next_page(action: &'static str, asked: Option<&str>, token: Option<String>) -> Result<Option<String>, Error> {
    match token.filter(|token| !token.is_empty()) {
        Some(token) if Some(token.as_str()) == asked => Err(Error::without(action, "new page: it leads back to the one asked for")),
        token => Ok(token),
    }
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
        instance_type: instance.instance_type().map(InstanceType::as_str).unwrap_or_default().to_owned(),
        subnet_id: instance.subnet_id().map(str::to_owned),
        zone: instance.placement().and_then(|placement| placement.availability_zone()).map(str::to_owned),
        private_ip: instance.private_ip_address().filter(|address| !address.is_empty()).map(str::to_owned),
        spot: instance.instance_lifecycle() == Some(&InstanceLifecycleType::Spot),
        state_reason: instance.state_reason().and_then(|reason| reason.code()).filter(|code| !code.is_empty()).map(str::to_owned),
        tags: instance.tags().iter().filter_map(|tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()))).collect(),
    })
}
