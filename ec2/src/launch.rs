//! Launches.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceType, LaunchTemplateSpecification, MarketType, ResourceType,
    ShutdownBehavior, SpotInstanceType, SpotMarketOptions, TagSpecification,
};

use crate::actions::RUN_INSTANCES;
use crate::instances::sdk_tags;
use crate::{Ec2, Error};

/// What an instance can be had as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Offering {
    /// Instance type, over the template's.
    pub instance_type: String,
    /// Subnet; none: the VPC's default one, in a zone of EC2's choice.
    pub subnet_id: Option<String>,
    /// Spot, at up to the on-demand price; otherwise on demand.
    pub spot: bool,
}

/// EC2's answer to a dry run that would have gone well.
const WOULD_LAUNCH: &str = "DryRunOperation";

/// A launch. The same token with the same content launches once, however often it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// ClientToken, at most 64 ASCII characters.
    pub token: String,
    /// Name of the launch template.
    pub template: String,
    /// Its version.
    pub template_version: i64,
    /// What to launch them as.
    pub offering: Offering,
    /// Instances wanted; EC2 launches at least one and as many of these as it has room for.
    pub count: i32,
    /// Tags of each instance and of its volumes.
    pub tags: Vec<(String, String)>,
}

impl Ec2 {
    /// Launches instances and answers with their ids.
    ///
    /// # Errors
    /// As EC2 answers; [`Error::verdict`] tells whether instances may have been launched, [`Error::scope`] whether another
    /// offering might do better.
    pub async fn run_instances(&self, launch: &Launch) -> Result<Vec<String>, Error> {
        let Launch { token, template, template_version, offering, count, tags } = launch;
        let tagged = |kind| TagSpecification::builder().resource_type(kind).set_tags(Some(sdk_tags(tags))).build();
        let call = self
            .launch_of(template, &template_version.to_string(), offering)
            .client_token(token)
            .max_count(*count)
            .tag_specifications(tagged(ResourceType::Instance))
            .tag_specifications(tagged(ResourceType::Volume));
        let answer = self.api.gate.call(RUN_INSTANCES, || call.clone().send()).await?;
        Ok(answer.instances().iter().filter_map(|instance| instance.instance_id.clone()).collect())
    }

    /// Asks EC2 whether it would launch an instance of a template's latest version as `offering`. Nothing is launched; whether
    /// there is room, EC2 tells of launches alone.
    ///
    /// # Errors
    /// Why it would not, or could not be asked.
    pub async fn would_launch(&self, template: &str, offering: &Offering) -> Result<(), Error> {
        let call = self.launch_of(template, "$Latest", offering).max_count(1).dry_run(true);
        match self.api.gate.call(RUN_INSTANCES, || call.clone().send()).await {
            Err(error) if error.is(WOULD_LAUNCH) => Ok(()),
            answer => answer.map(drop),
        }
    }

    fn launch_of(&self, template: &str, version: &str, offering: &Offering) -> RunInstancesFluentBuilder {
        let Offering { instance_type, subnet_id, spot } = offering;
        let template = LaunchTemplateSpecification::builder().launch_template_name(template).version(version);
        let call = self.api.client.run_instances().launch_template(template.build()).min_count(1);
        call.instance_type(InstanceType::from(instance_type.as_str()))
            .set_subnet_id(subnet_id.clone())
            .set_instance_market_options(spot.then(one_time))
            // A one-time spot instance cannot be stopped, whatever the template says.
            .set_instance_initiated_shutdown_behavior(spot.then_some(ShutdownBehavior::Terminate))
    }
}

/// A spot instance that ends with its interruption and is not asked for again: deciding that is not EC2's.
fn one_time() -> InstanceMarketOptionsRequest {
    let spot = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Terminate);
    InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(spot.build()).build()
}
