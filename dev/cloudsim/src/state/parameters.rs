//! Owns the Systems Manager parameters that name images, and what `resolve:ssm:…` comes to. There is no Systems Manager API.

use std::collections::BTreeMap;

use super::Cloud;
use super::spec::LaunchSpec;
use super::templates::TemplateVersion;
use crate::ids;
use crate::refusal::{IdKind, Refusal};

const ALIAS: &str = "resolve:ssm:";

/// Parameters of the data type `aws:ec2:image`, each with all its versions from 1.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, Vec<String>>);

impl From<BTreeMap<String, String>> for Parameters {
    fn from(first: BTreeMap<String, String>) -> Self {
        Self(first.into_iter().map(|(name, image)| (name, vec![image])).collect())
    }
}

impl Cloud {
    /// Sets parameters; one that changes gets a new version, those not named stay.
    ///
    /// # Errors
    /// `InvalidAMIID.Malformed`, and none is set.
    pub fn set_parameters(&mut self, parameters: BTreeMap<String, String>) -> Result<(), Refusal> {
        ids::check_form(IdKind::Image, parameters.values())?;
        for (name, image) in parameters {
            let versions = self.parameters.0.entry(name).or_default();
            if versions.last() != Some(&image) {
                versions.push(image);
            }
        }
        Ok(())
    }

    /// The latest value of each parameter.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<&str, &str> {
        let latest = |(name, versions)| -> Option<(&str, &str)> {
            let (name, versions): (&String, &Vec<String>) = (name, versions);
            Some((name, versions.last()?))
        };
        self.parameters.0.iter().filter_map(latest).collect()
    }

    /// The id of the image that `image` is or stands for.
    ///
    /// # Errors
    /// `SsmInvalidParameter` when it stands for none.
    pub(super) fn image_of(&self, image: &str) -> Result<String, Refusal> {
        let Some(alias) = image.strip_prefix(ALIAS) else {
            return Ok(image.to_owned());
        };
        if alias.starts_with("arn:") {
            return Err(Refusal::UnsupportedOperation(format!("parameters by ARN: {image}")));
        }
        let (name, version) = alias.split_once(':').map_or((alias, None), |(name, version)| (name, Some(version)));
        let found = self.parameters.0.get(name).and_then(|versions| match version {
            None => versions.last(),
            Some(number) => versions.get(number.parse::<usize>().ok()?.checked_sub(1)?),
        });
        found.cloned().ok_or_else(|| Refusal::SsmInvalidParameter(alias.to_owned()))
    }

    /// A specification whose image is an id.
    ///
    /// # Errors
    /// `SsmInvalidParameter`
    pub(super) fn with_image(&self, spec: LaunchSpec) -> Result<LaunchSpec, Refusal> {
        let image_id = spec.image_id.as_deref().map(|image| self.image_of(image)).transpose()?;
        Ok(LaunchSpec { image_id, ..spec })
    }

    /// A template version as `ResolveAlias` shows it: its image is an id.
    ///
    /// # Errors
    /// `SsmInvalidParameter`
    pub fn with_alias_resolved(&self, version: &TemplateVersion) -> Result<TemplateVersion, Refusal> {
        Ok(TemplateVersion { data: self.with_image(version.data.clone())?, ..version.clone() })
    }
}
