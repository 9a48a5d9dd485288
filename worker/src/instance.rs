//! What the machine says of itself: instance metadata (IMDSv2). Knows nothing of EC2's API.

use aws_config::imds::client::Client;
use aws_config::imds::client::error::ImdsError;

use crate::cause::chain;

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
    imds: Client,
    id: String,
}

impl Instance {
    /// Asks the metadata service which instance this is.
    ///
    /// # Errors
    /// When there is no metadata service.
    pub async fn identify() -> Result<Self, InstanceError> {
        let imds = Client::builder().build();
        let path = "/latest/meta-data/instance-id";
        match imds.get(path).await {
            Ok(id) => Ok(Self { imds, id: id.into() }),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Instance id, such as `i-0123456789abcdef0`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the operator wants of this instance: the value of its intent tag, if it has one.
    ///
    /// # Errors
    /// When the metadata service does not answer.
    pub async fn intent(&self) -> Result<Option<String>, InstanceError> {
        let path = format!("/latest/meta-data/tags/instance/{}", ec2::tags::INTENT);
        match self.imds.get(&path).await {
            Ok(intent) => Ok(Some(intent.into())),
            Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => Ok(None),
            Err(error) => Err(failed(&path, &error)),
        }
    }
}

fn failed(path: &str, error: &ImdsError) -> InstanceError {
    InstanceError { path: path.to_owned(), reason: chain(error) }
}
