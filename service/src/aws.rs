//! One way to reach AWS: region, endpoints and credentials from the environment, with the SDK's own rules.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

/// Settings for all AWS clients of a process. `AWS_REGION`, `AWS_ENDPOINT_URL_*` and the usual credential sources count;
/// `region` overrides. No answer within 30 s (a long poll takes 20) or no connection within 3 s is an error,
/// tried up to 3 times.
pub async fn config(region: Option<String>) -> SdkConfig {
    let timeouts = TimeoutConfig::builder().connect_timeout(Duration::from_secs(3)).operation_attempt_timeout(Duration::from_secs(30));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts.build());
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    loader.load().await
}
