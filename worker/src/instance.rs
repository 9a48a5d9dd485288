//! What the machine says of itself: instance metadata (IMDSv2). Knows nothing of EC2's API.

use aws_config::imds::client::Client;
use aws_config::imds::client::error::ImdsError;

use crate::cause::chain;

/// Families that run on Xen. Their metadata shows tags as they were when the instance last started; all later ones run on
/// Nitro, whose metadata follows changes.
const XEN: [&str; 26] = [
    "c1", "c3", "c4", "cc2", "cr1", "d2", "f1", "g2", "g3", "g3s", "h1", "hs1", "i2", "i3", "m1", "m2", "m3", "m4", "p2", "p3", "r3", "r4",
    "t1", "t2", "x1", "x1e",
];

/// The metadata service did not say.
#[derive(Debug, thiserror::Error)]
#[error(
    "the instance metadata at {path} cannot be read: {reason}; the worker runs on EC2 with IMDSv2 and instance tags in metadata \
     enabled (elsewhere, set AWS_EC2_METADATA_SERVICE_ENDPOINT)"
)]
pub struct InstanceError {
    path: String,
    reason: String,
}

/// This instance.
#[derive(Debug, Clone)]
pub struct Instance {
    metadata: Metadata,
    id: String,
    shows_changed_tags: bool,
}

impl Instance {
    /// Asks the metadata service which instance this is.
    ///
    /// # Errors
    /// When there is no metadata service.
    pub async fn identify() -> Result<Self, InstanceError> {
        let metadata = Metadata(Client::builder().build());
        let id = metadata.get("instance-id").await?;
        let kind = metadata.find("instance-type").await?;
        Ok(Self { metadata, id, shows_changed_tags: !kind.is_some_and(|kind| is_xen(&kind)) })
    }

    /// Instance id, such as `i-0123456789abcdef0`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether [`Self::intent`] follows when the tag is changed, or tells for ever what it was at the last start.
    #[must_use]
    pub fn shows_changed_tags(&self) -> bool {
        self.shows_changed_tags
    }

    /// What the operator wants of this instance: the value of its intent tag, if it has one.
    ///
    /// # Errors
    /// When the metadata service does not answer.
    pub async fn intent(&self) -> Result<Option<String>, InstanceError> {
        self.metadata.find(&tag(ec2::tags::INTENT)).await
    }

    /// Token of the launch that this instance came from, if it has one.
    ///
    /// # Errors
    /// When the metadata service does not answer.
    pub async fn token(&self) -> Result<Option<String>, InstanceError> {
        self.metadata.find(&tag(ec2::tags::TOKEN)).await
    }

    /// EC2's notice that it takes this spot instance back, if there is one: JSON of what will happen and when.
    ///
    /// # Errors
    /// When the metadata service does not answer.
    pub async fn spot_notice(&self) -> Result<Option<String>, InstanceError> {
        self.metadata.find("spot/instance-action").await
    }

    /// EC2's recommendation to replace this spot instance, if there is one: JSON of when it was given.
    ///
    /// # Errors
    /// When the metadata service does not answer.
    pub async fn rebalance(&self) -> Result<Option<String>, InstanceError> {
        self.metadata.find("events/recommendations/rebalance").await
    }
}

/// This instance's private address in its VPC.
///
/// # Errors
/// When there is no metadata service.
pub async fn private_address() -> Result<String, InstanceError> {
    Metadata(Client::builder().build()).get("local-ipv4").await
}

#[derive(Debug, Clone)]
struct Metadata(Client);

impl Metadata {
    async fn get(&self, item: &str) -> Result<String, InstanceError> {
        let path = path(item);
        self.0.get(&path).await.map(String::from).map_err(|error| failed(path, &error))
    }

    /// None when there is no such item.
    async fn find(&self, item: &str) -> Result<Option<String>, InstanceError> {
        let path = path(item);
        match self.0.get(&path).await {
            Ok(value) => Ok(Some(value.into())),
            Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => Ok(None),
            Err(error) => Err(failed(path, &error)),
        }
    }
}

fn tag(key: &str) -> String {
    format!("tags/instance/{key}")
}

fn path(item: &str) -> String {
    format!("/latest/meta-data/{item}")
}

fn failed(path: String, error: &ImdsError) -> InstanceError {
    InstanceError { path, reason: chain(error) }
}

fn is_xen(instance_type: &str) -> bool {
    let (family, size) = instance_type.split_once('.').unwrap_or((instance_type, ""));
    // What is metal in such a family (i3) is of Nitro nevertheless.
    size != "metal" && XEN.contains(&family)
}

#[cfg(test)]
mod tests {
    use super::is_xen;

    #[test]
    fn the_family_tells_whether_changed_tags_are_shown() {
        for xen in ["t2.micro", "t1.micro", "m4.xlarge", "c4.large", "r3.large", "i3.large", "x1e.xlarge", "g3s.xlarge"] {
            assert!(is_xen(xen), "{xen}");
        }
        for nitro in
            ["t3.small", "t3a.nano", "t4g.micro", "m5.large", "c5.large", "i3en.large", "i3.metal", "p3dn.24xlarge", "x2gd.large", ""]
        {
            assert!(!is_xen(nitro), "{nitro}");
        }
    }
}
