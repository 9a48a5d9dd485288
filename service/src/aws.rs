//! One way to reach AWS: region, endpoints and credentials from the environment, with the SDK's own rules.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};

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
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).operation_attempt_timeout(Duration::from_secs(30));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts.build());
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
