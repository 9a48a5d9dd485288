//! The only crate that knows the EC2 SDK, which takes minutes to compile: the calls we make and what their errors mean.
//! Decides nothing.

mod error;
mod instances;
pub mod tags;
mod templates;

pub use error::{Error, Verdict};
pub use instances::{Instance, InstanceState, Launch};
pub use templates::{Template, TemplateVersion};

/// EC2 in one region.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: aws_sdk_ec2::Client,
}

impl Ec2 {
    /// A client with the region, endpoint and credentials of `config`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self { client: aws_sdk_ec2::Client::new(config) }
    }
}
