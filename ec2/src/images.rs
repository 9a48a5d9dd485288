//! What we have to know of images: which one a parameter names, and what its root device is called.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_ec2::types::RequestLaunchTemplateData;

use crate::actions::{DESCRIBE_IMAGES, DESCRIBE_VERSIONS};
use crate::templates::Template;
use crate::{Ec2, Error};

/// Names of root devices by image, which never change.
pub(crate) type RootDevices = Mutex<HashMap<String, String>>;

impl Ec2 {
    /// Id of the AMI that the SSM parameter `parameter` (name, `name:version`, `name:label` or ARN; at most 239 characters)
    /// names now. EC2 looks it up for us: a version of `template` is kept that names the parameter instead of an image, and
    /// EC2 is asked for that version with the parameter resolved. Template and version are made if missing. The caller needs
    /// the right to read the parameter (`ssm:GetParameters`).
    ///
    /// # Errors
    /// As EC2 answers, for example when there is no such parameter.
    pub async fn resolve_image(&self, template: &Template, parameter: &str) -> Result<String, Error> {
        let description = format!("image-parameter {parameter}");
        let found = self.find_version(&template.name, &description).await?;
        let number = match found.number() {
            Some(number) => number,
            None => {
                let data = RequestLaunchTemplateData::builder().image_id(format!("resolve:ssm:{parameter}"));
                self.make_version(template, found, &description, data.build()).await?
            }
        };
        let call = self.api.client.describe_launch_template_versions().launch_template_name(&template.name);
        let call = call.versions(number.to_string()).resolve_alias(true);
        let answer = self.api.gate.call(DESCRIBE_VERSIONS, || call.clone().send()).await?;
        let version = answer.launch_template_versions().first().and_then(|version| version.launch_template_data());
        let image = version.and_then(|data| data.image_id()).filter(|image| !image.starts_with("resolve:"));
        let image = image.ok_or_else(|| Error::without(DESCRIBE_VERSIONS.name, format_args!("image for the parameter {parameter}")))?;
        Ok(image.to_owned())
    }

    /// What the root device of `image_id` is called, such as `/dev/xvda`: it differs between images, and a volume under
    /// another name would be a second one.
    pub(crate) async fn root_device(&self, image_id: &str) -> Result<String, Error> {
        let known = self.root_devices.lock().unwrap_or_else(PoisonError::into_inner).get(image_id).cloned();
        if let Some(name) = known {
            return Ok(name);
        }
        let call = self.api.client.describe_images().image_ids(image_id);
        let answer = self.api.gate.call(DESCRIBE_IMAGES, || call.clone().send()).await?;
        let name = answer.images().first().and_then(|image| image.root_device_name());
        let name = name.ok_or_else(|| Error::without(DESCRIBE_IMAGES.name, format_args!("root device of {image_id}")))?.to_owned();
        self.root_devices.lock().unwrap_or_else(PoisonError::into_inner).insert(image_id.to_owned(), name.clone());
        Ok(name)
    }
}
