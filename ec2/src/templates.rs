//! Launch templates: one for each fleet, a version for each revision.

use aws_sdk_ec2::types::{
    InstanceMetadataTagsState, InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMetadataOptionsRequest,
    RequestLaunchTemplateData, ResourceType, ShutdownBehavior, TagSpecification,
};
use base64::Engine as _;

use crate::actions::{CREATE_TEMPLATE, CREATE_VERSION, DELETE_TEMPLATE, DESCRIBE_VERSIONS};
use crate::instances::{next_page, sdk_tags};
use crate::{Ec2, Error};

/// What workers of one revision are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateVersion {
    /// The revision; becomes the version's description, by which it is found again.
    pub revision: String,
    /// AMI.
    pub image_id: String,
    /// Instance type; a launch may choose another.
    pub instance_type: String,
    /// Security groups; none: the VPC's default.
    pub security_group_ids: Vec<String>,
    /// Name of the instance profile.
    pub instance_profile: Option<String>,
    /// Key pair.
    pub key_name: Option<String>,
    /// Size of the root volume in GiB, not less than the AMI's; none: the AMI's.
    pub volume_gib: Option<i32>,
    /// An instance that shuts down by itself is stopped, so that it can be started again; otherwise it is terminated.
    pub stop_on_shutdown: bool,
    /// User data in clear; EC2 takes 16 KiB.
    pub user_data: String,
}

/// A launch template, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Name, 3 to 128 characters.
    pub name: String,
    /// Tags of the template itself.
    pub tags: Vec<(String, String)>,
}

/// What there is of a version of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Version(i64),
    NoVersion,
    NoTemplate,
}

impl Found {
    pub(crate) fn number(self) -> Option<i64> {
        if let Self::Version(number) = self { Some(number) } else { None }
    }
}

const NAME_NOT_FOUND: &str = "InvalidLaunchTemplateName.NotFoundException";
const NAME_TAKEN: &str = "InvalidLaunchTemplateName.AlreadyExistsException";
/// EC2's limit for one page.
const PAGE: i32 = 200;

impl Ec2 {
    /// Number of the version of `template` that has the revision of `version`; template and version are made if missing.
    /// A version is never changed, so all of `version` has to go into its revision. No ClientToken is derived from it: EC2 would
    /// answer with what somebody has deleted since. Two callers at once may make two versions, which are the same but for their number.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn ensure_template(&self, template: &Template, version: &TemplateVersion) -> Result<i64, Error> {
        let found = self.find_version(&template.name, &version.revision).await?;
        if let Some(number) = found.number() {
            return Ok(number);
        }
        let root_device = match version.volume_gib {
            Some(_) => Some(self.root_device(&version.image_id).await?),
            None => None,
        };
        self.make_version(template, found, &version.revision, data(version, root_device)).await
    }

    /// The version of the template `name` that has this description.
    pub(crate) async fn find_version(&self, name: &str, description: &str) -> Result<Found, Error> {
        let call = self.api.client.describe_launch_template_versions().launch_template_name(name).max_results(PAGE);
        let mut next: Option<String> = None;
        loop {
            let answer = self.api.gate.call(DESCRIBE_VERSIONS, || call.clone().set_next_token(next.clone()).send()).await;
            let page = match answer {
                Err(error) if error.is(NAME_NOT_FOUND) => return Ok(Found::NoTemplate),
                answer => answer?,
            };
            let found = page.launch_template_versions().iter().find(|version| version.version_description() == Some(description));
            if let Some(number) = found.and_then(|version| version.version_number()) {
                return Ok(Found::Version(number));
            }
            let after = next_page(DESCRIBE_VERSIONS.name, next.as_deref(), page.next_token)?;
            let Some(token) = after else { return Ok(Found::NoVersion) };
            next = Some(token);
        }
    }

    /// Makes what is missing, and answers with the version's number.
    pub(crate) async fn make_version(
        &self,
        template: &Template,
        found: Found,
        description: &str,
        data: RequestLaunchTemplateData,
    ) -> Result<i64, Error> {
        let found = match found {
            Found::NoTemplate => match self.create_template(template, description, data.clone()).await {
                // Another caller was faster, or our own call whose answer was lost.
                Err(error) if error.is(NAME_TAKEN) => match self.find_version(&template.name, description).await? {
                    Found::NoTemplate => return Err(error),
                    found => found,
                },
                answer => return answer,
            },
            found => found,
        };
        match found.number() {
            Some(number) => Ok(number),
            None => self.create_version(&template.name, description, data).await,
        }
    }

    async fn create_template(&self, template: &Template, description: &str, data: RequestLaunchTemplateData) -> Result<i64, Error> {
        let tags = TagSpecification::builder().resource_type(ResourceType::LaunchTemplate).set_tags(Some(sdk_tags(&template.tags))).build();
        let call = self
            .api
            .client
            .create_launch_template()
            .launch_template_name(&template.name)
            .version_description(description)
            .launch_template_data(data)
            .tag_specifications(tags);
        self.api.gate.call(CREATE_TEMPLATE, || call.clone().send()).await?;
        // Not its latest version, which a repeated answer could give: the first, which it was made with.
        Ok(1)
    }

    async fn create_version(&self, name: &str, description: &str, data: RequestLaunchTemplateData) -> Result<i64, Error> {
        let call = self
            .api
            .client
            .create_launch_template_version()
            .launch_template_name(name)
            .version_description(description)
            .launch_template_data(data);
        let answer = self.api.gate.call(CREATE_VERSION, || call.clone().send()).await?;
        let number = answer.launch_template_version().and_then(|made| made.version_number());
        number.ok_or_else(|| Error::without(CREATE_VERSION.name, "version number"))
    }

    /// Deletes the template and all its versions; one that is not there is fine.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn delete_template(&self, name: &str) -> Result<(), Error> {
        let call = self.api.client.delete_launch_template().launch_template_name(name);
        match self.api.gate.call(DELETE_TEMPLATE, || call.clone().send()).await {
            Err(error) if !error.is(NAME_NOT_FOUND) => Err(error),
            _ => Ok(()),
        }
    }
}

fn data(version: &TemplateVersion, root_device: Option<String>) -> RequestLaunchTemplateData {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled.as_str().into())
        .build();
    let profile =
        version.instance_profile.as_ref().map(|name| LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(name).build());
    let groups = (!version.security_group_ids.is_empty()).then(|| version.security_group_ids.clone());
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder().set_volume_size(version.volume_gib).delete_on_termination(true).build();
    let volume = root_device.map(|name| vec![LaunchTemplateBlockDeviceMappingRequest::builder().device_name(name).ebs(volume).build()]);
    let shutdown = if version.stop_on_shutdown { ShutdownBehavior::Stop } else { ShutdownBehavior::Terminate };
    RequestLaunchTemplateData::builder()
        .image_id(&version.image_id)
        .instance_type(InstanceType::from(version.instance_type.as_str()))
        .set_security_group_ids(groups)
        .set_iam_instance_profile(profile)
        .set_key_name(version.key_name.clone())
        .set_block_device_mappings(volume)
        .user_data(base64::engine::general_purpose::STANDARD.encode(&version.user_data))
        .instance_initiated_shutdown_behavior(shutdown)
        .metadata_options(metadata)
        .build()
}
