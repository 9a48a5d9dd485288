//! S3 and SQS of a stack, by their SDKs.

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use xtask::stack::{CREDENTIALS, Stack};

/// Clients that go past the recording relays: what tests ask for is no call of ours.
pub async fn clients(stack: &Stack) -> (aws_sdk_s3::Client, aws_sdk_sqs::Client) {
    let [(_, key), (_, secret), (_, region)] = CREDENTIALS;
    let endpoints = stack.endpoints().unwrap();
    let config = |endpoint: String| {
        let credentials = Credentials::new(key, secret, None, None, "tests");
        let defaults = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region));
        defaults.credentials_provider(credentials).endpoint_url(endpoint).load()
    };
    let (s3, sqs) = (config(endpoints.s3.clone()).await, config(endpoints.sqs.clone()).await);
    (aws_sdk_s3::Client::new(&s3), aws_sdk_sqs::Client::new(&sqs))
}
