//! Launch templates: one for each fleet, a version for each revision.

use aws_sdk_ec2::types::{
    InstanceMetadataTagsState, InstanceType, LaunchTemplateHttpTokensState, LaunchTemplateIamInstanceProfileSpecificationRequest,
    LaunchTemplateInstanceMetadataOptionsRequest, RequestLaunchTemplateData, ResourceType, ShutdownBehavior, TagSpecification,
};
use base64::Engine as _;

use crate::instances::sdk_tags;
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

const NAME_NOT_FOUND: &str = "InvalidLaunchTemplateName.NotFoundException";
const NAME_TAKEN: &str = "InvalidLaunchTemplateName.AlreadyExistsException";

impl Ec2 {
    /// Number of the version of `template` that has the revision of `version`; template and version are made if missing.
    /// Two callers at once make one version: the ClientToken is the revision's.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn ensure_template(&self, template: &Template, version: &TemplateVersion) -> Result<i64, Error> {
        match self.find_version(&template.name, &version.revision).await {
            Ok(Some(number)) => Ok(number),
            Ok(None) => self.create_version(&template.name, version).await,
            Err(error) if error.is(NAME_NOT_FOUND) => match self.create_template(template, version).await {
                Err(error) if error.is(NAME_TAKEN) => self.create_version(&template.name, version).await,
                answer => answer,
            },
            Err(error) => Err(error),
        }
    }

    async fn find_version(&self, name: &str, revision: &str) -> Result<Option<i64>, Error> {
        let call = self.client.describe_launch_template_versions().launch_template_name(name);
        let mut pages = call.into_paginator().page_size(200).send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Error::of("DescribeLaunchTemplateVersions", &error))?;
            let found = page.launch_template_versions().iter().find(|version| version.version_description() == Some(revision));
            if let Some(number) = found.and_then(|version| version.version_number()) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    async fn create_template(&self, template: &Template, version: &TemplateVersion) -> Result<i64, Error> {
        let tags = TagSpecification::builder().resource_type(ResourceType::LaunchTemplate).set_tags(Some(sdk_tags(&template.tags))).build();
        let call = self
            .client
            .create_launch_template()
            .client_token(token(&template.name, version))
            .launch_template_name(&template.name)
            .version_description(&version.revision)
            .launch_template_data(data(version))
            .tag_specifications(tags);
        let answer = call.send().await.map_err(|error| Error::of("CreateLaunchTemplate", &error))?;
        Ok(answer.launch_template().and_then(|made| made.latest_version_number()).unwrap_or(1))
    }

    async fn create_version(&self, name: &str, version: &TemplateVersion) -> Result<i64, Error> {
        let call = self
            .client
            .create_launch_template_version()
            .client_token(token(name, version))
            .launch_template_name(name)
            .version_description(&version.revision)
            .launch_template_data(data(version));
        let answer = call.send().await.map_err(|error| Error::of("CreateLaunchTemplateVersion", &error))?;
        let number = answer.launch_template_version().and_then(|made| made.version_number());
        number.ok_or_else(|| Error {
            action: "CreateLaunchTemplateVersion",
            code: None,
            message: "the answer has no version number".to_owned(),
        })
    }

    /// Deletes the template and all its versions; one that is not there is fine.
    ///
    /// # Errors
    /// As EC2 answers.
    pub async fn delete_template(&self, name: &str) -> Result<(), Error> {
        let answer = self.client.delete_launch_template().launch_template_name(name).send().await;
        match answer.map_err(|error| Error::of("DeleteLaunchTemplate", &error)) {
            Err(error) if !error.is(NAME_NOT_FOUND) => Err(error),
            _ => Ok(()),
        }
    }
}

/// At most 64 characters of the template's name (which ends with the fleet's uid) and the revision.
fn token(name: &str, version: &TemplateVersion) -> String {
    let whole = format!("{name}-{}", version.revision);
    whole.chars().rev().take(64).collect::<Vec<_>>().into_iter().rev().collect()
}

fn data(version: &TemplateVersion) -> RequestLaunchTemplateData {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .instance_metadata_tags(InstanceMetadataTagsState::Enabled.as_str().into())
        .build();
    let profile =
        version.instance_profile.as_ref().map(|name| LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(name).build());
    let groups = (!version.security_group_ids.is_empty()).then(|| version.security_group_ids.clone());
    RequestLaunchTemplateData::builder()
        .image_id(&version.image_id)
        .instance_type(InstanceType::from(version.instance_type.as_str()))
        .set_security_group_ids(groups)
        .set_iam_instance_profile(profile)
        .set_key_name(version.key_name.clone())
        .user_data(base64::engine::general_purpose::STANDARD.encode(&version.user_data))
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata)
        .build()
}
