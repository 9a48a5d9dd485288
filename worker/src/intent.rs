//! What the operator wants of this instance: the value of its intent tag, from where this kind of machine shows it soonest.

use std::time::Duration;

use crate::instance::{Instance, InstanceError};

/// Metadata is asked on the machine itself, as often as one likes.
const METADATA_EVERY: Duration = Duration::from_secs(2);
/// EC2's API is shared by all machines of the account.
const API_EVERY: Duration = Duration::from_secs(15);

/// The intent could not be read.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// From the metadata.
    #[error(transparent)]
    Metadata(#[from] InstanceError),
    /// From EC2.
    #[error(
        "{0}; instances of this type show changed tags in their metadata only after a restart, so the role needs ec2:DescribeInstances"
    )]
    Ec2(#[from] ec2::Error),
}

/// Where the intent of one instance is read.
#[derive(Debug, Clone, Copy)]
pub struct IntentSource<'a> {
    instance: &'a Instance,
    ec2: &'a ec2::Ec2,
}

impl<'a> IntentSource<'a> {
    /// The metadata of `instance`, or EC2 where its metadata does not follow changed tags.
    #[must_use]
    pub fn new(instance: &'a Instance, ec2: &'a ec2::Ec2) -> Self {
        Self { instance, ec2 }
    }

    /// How often to ask.
    #[must_use]
    pub fn every(&self) -> Duration {
        if self.instance.shows_changed_tags() { METADATA_EVERY } else { API_EVERY }
    }

    /// The intent, if the operator has set one.
    ///
    /// # Errors
    /// When the metadata service or EC2 does not answer.
    pub async fn read(&self) -> Result<Option<String>, IntentError> {
        if self.instance.shows_changed_tags() {
            return Ok(self.instance.intent().await?);
        }
        // The launch's token never changes, so that old metadata is right about it.
        let token = self.instance.token().await?.unwrap_or_default();
        let launched = self.ec2.instances_tagged(ec2::tags::TOKEN, &token).await?;
        let this = launched.iter().find(|instance| instance.id == self.instance.id());
        Ok(this.and_then(|this| this.tag(ec2::tags::INTENT)).map(str::to_owned))
    }
}
