//! One way to reach AWS: region, endpoints and credentials from the environment, with the SDK's own rules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, Region, SdkConfig};

/// Where AWS is, as far as it is not where the environment says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Region, such as `us-east-1`.
    pub region: Option<String>,
    /// URL of all services alike, for a stand-in or a proxy.
    pub endpoint_url: Option<String>,
}

/// Settings for all AWS clients of `program`, whose name stands in the user agent, which CloudTrail shows. `AWS_REGION`,
/// `AWS_ENDPOINT_URL_*` and the usual credential sources count; `place` overrides. No answer within 30 s (a long poll takes
/// 20) or no connection within 3 s is an error, tried up to 3 times.
pub async fn config(program: &'static str, place: &Place) -> SdkConfig {
    Sources::default().config(program, place).await
}

/// How AWS is reached, and where credentials and all else come from that nobody says.
#[derive(Clone)]
pub struct Sources(Arc<dyn Fn() -> ConfigLoader + Send + Sync>);

impl Sources {
    /// Each configuration begins as `begin` makes it.
    pub fn new(begin: impl Fn() -> ConfigLoader + Send + Sync + 'static) -> Self {
        Self(Arc::new(begin))
    }

    /// The same as [`config`], from these sources.
    pub async fn config(&self, program: &'static str, place: &Place) -> SdkConfig {
        complete((self.0)(), program, place).await
    }
}

impl Default for Sources {
    /// The environment, over the network.
    fn default() -> Self {
        Self::new(|| aws_config::defaults(BehaviorVersion::latest()))
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

async fn complete(sources: ConfigLoader, program: &'static str, place: &Place) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).operation_attempt_timeout(Duration::from_secs(30));
    let mut loader = sources.retry_config(RetryConfig::standard().with_max_attempts(3)).timeout_config(timeouts.build());
    if let Ok(name) = AppName::new(program) {
        loader = loader.app_name(name);
    }
    if let Some(region) = &place.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &place.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}
