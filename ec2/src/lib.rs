//! The only crate that knows the EC2 SDK, which takes minutes to compile: the calls we make, at the pace that EC2 allows,
//! and what their errors mean. Decides nothing.

mod actions;
mod batch;
mod bucket;
mod codes;
mod error;
mod gate;
mod images;
mod instances;
mod launch;
mod orders;
pub mod tags;
mod templates;
mod types;

use std::fmt;
use std::sync::Arc;

use aws_sdk_ec2::config::retry::RetryConfig;

pub use error::{Error, Scope, Verdict};
pub use gate::{Call, Observer};
pub use instances::{Instance, InstanceState};
pub use launch::{Launch, Offering};
pub use templates::{Template, TemplateVersion};

use service::traces::aws::CallSpans;

use gate::Gate;
use images::RootDevices;
use orders::Orders;

/// EC2 in one region. Clones share one pace, so that all of a program's calls together stay within EC2's limits.
#[derive(Clone)]
pub struct Ec2 {
    api: Arc<Api>,
    orders: Arc<Orders>,
    root_devices: Arc<RootDevices>,
}

/// The SDK's client, and the gate that each of its calls goes through.
struct Api {
    client: aws_sdk_ec2::Client,
    gate: Gate,
}

impl Ec2 {
    /// A client with the region, endpoint and credentials of `config`.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self::with(config, None)
    }

    /// Like [`Ec2::new`], and `observer` hears of each call once it is over.
    #[must_use]
    pub fn observed(config: &aws_config::SdkConfig, observer: Observer) -> Self {
        Self::with(config, Some(observer))
    }

    fn with(config: &aws_config::SdkConfig, observer: Option<Observer>) -> Self {
        // The SDK's own retries would pass the gate uncounted.
        let config = aws_sdk_ec2::config::Builder::from(config).retry_config(RetryConfig::disabled()).interceptor(CallSpans).build();
        let api = Arc::new(Api { client: aws_sdk_ec2::Client::from_conf(config), gate: Gate::new(observer) });
        Self { orders: Arc::new(Orders::new(&api)), api, root_devices: Arc::default() }
    }
}

impl fmt::Debug for Ec2 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ec2").field("client", &self.api.client).finish_non_exhaustive()
    }
}
