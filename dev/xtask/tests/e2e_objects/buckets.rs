//! Buckets: how long they keep what is in them.

use aws_sdk_s3::types::{BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter};
use serde_json::json;

use crate::Stage;
use crate::support::until;

pub async fn retention_is_a_rule_among_others(stage: &Stage) {
    // A bucket of the user's own, with a rule of theirs.
    stage.s3.create_bucket().bucket("dated-in").send().await.unwrap();
    let filter = LifecycleRuleFilter::builder().prefix("tmp/").build();
    let expiration = LifecycleExpiration::builder().days(1).build();
    let theirs =
        LifecycleRule::builder().id("theirs").filter(filter).expiration(expiration).status(ExpirationStatus::Enabled).build().unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(theirs).build().unwrap();
    stage.s3.put_bucket_lifecycle_configuration().bucket("dated-in").lifecycle_configuration(rules).send().await.unwrap();
    stage.apply("dated", json!({"storage": {"retentionDays": 7}})).await;
    has_rules(stage, "dated-in", &[("classifierfleet-default.dated", 7), ("theirs", 1)]).await;
    has_rules(stage, "dated-out", &[("classifierfleet-default.dated", 7)]).await;
    stage.change("dated", json!({"storage": {"retentionDays": 30}})).await;
    has_rules(stage, "dated-in", &[("classifierfleet-default.dated", 30), ("theirs", 1)]).await;
    has_rules(stage, "dated-out", &[("classifierfleet-default.dated", 30)]).await;
    stage.change("dated", json!({"storage": {"retentionDays": null}})).await;
    has_rules(stage, "dated-in", &[("theirs", 1)]).await;
    has_rules(stage, "dated-out", &[]).await;
}

async fn has_rules(stage: &Stage, bucket: &str, wanted: &[(&str, i32)]) {
    until(&format!("the bucket {bucket} has the rules {wanted:?}"), async || {
        if !stage.has_bucket(bucket).await {
            return false;
        }
        let answer = stage.s3.get_bucket_lifecycle_configuration().bucket(bucket).send().await;
        let rules = answer.map(|answer| answer.rules.unwrap_or_default()).unwrap_or_default();
        let days = |rule: &LifecycleRule| rule.expiration().and_then(LifecycleExpiration::days).unwrap_or_default();
        let mut rules: Vec<(&str, i32)> = rules.iter().map(|rule| (rule.id().unwrap_or_default(), days(rule))).collect();
        rules.sort_unstable();
        rules == wanted
    })
    .await;
}
