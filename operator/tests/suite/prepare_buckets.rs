//! Buckets in S3 itself, or in what stands in for it.
#![allow(clippy::unwrap_used)]

use crate::prepare_world::{Living, NOBODY, World};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    VersioningConfiguration,
};
use futures::StreamExt as _;
use operator::prepare::owner::Tags;

#[tokio::test]
#[ignore = "needs S3: cargo xtask test starts MiniStack"]
async fn buckets_are_made_tagged_and_forget_when_they_should() {
    let mut world = World::new(|fleet| fleet.spec.storage.retention_days = Some(30)).await;
    world.buckets(&NOBODY).await.unwrap();
    let rule = |days| vec![("classifierfleet-photos.imagenet".to_owned(), days)];
    for bucket in [world.input(), world.output()] {
        assert_eq!(world.bucket_tags(bucket).await, world.owner().tags());
        assert_eq!(world.rules(bucket).await, rule(30));
    }
    world.fleet.spec.storage.retention_days = Some(7);
    world.buckets(&NOBODY).await.unwrap();
    assert_eq!(world.rules(world.input()).await, rule(7));
    world.s3.delete_bucket_lifecycle().bucket(world.input()).send().await.unwrap();
    world.buckets(&NOBODY).await.unwrap();
    assert_eq!(world.rules(world.input()).await, rule(7), "put right");
    world.fleet.spec.storage.retention_days = None;
    world.buckets(&NOBODY).await.unwrap();
    assert_eq!(world.rules(world.output()).await, []);
}

#[tokio::test]
#[ignore = "needs S3: cargo xtask test starts MiniStack"]
async fn a_bucket_made_by_hand_keeps_its_rules_and_its_life() {
    let mut world = World::new(|fleet| fleet.spec.storage.retention_days = Some(5)).await;
    world.s3.create_bucket().bucket(world.input()).send().await.unwrap();
    let logs = LifecycleRule::builder()
        .id("logs")
        .filter(LifecycleRuleFilter::builder().prefix("logs/").build())
        .expiration(LifecycleExpiration::builder().days(3).build())
        .status(ExpirationStatus::Enabled)
        .build()
        .unwrap();
    let configuration = BucketLifecycleConfiguration::builder().rules(logs).build().unwrap();
    world.s3.put_bucket_lifecycle_configuration().bucket(world.input()).lifecycle_configuration(configuration).send().await.unwrap();
    world.buckets(&NOBODY).await.unwrap();
    let logs = ("logs".to_owned(), 3);
    assert_eq!(world.rules(world.input()).await, [logs.clone(), ("classifierfleet-photos.imagenet".to_owned(), 5)]);
    assert_eq!(world.bucket_tags(world.input()).await, Tags::new());
    world.fleet.spec.storage.retention_days = None;
    world.buckets(&NOBODY).await.unwrap();
    assert_eq!(world.rules(world.input()).await, [logs]);
    world.delete_buckets(5).await.unwrap();
    assert!(world.bucket_exists(world.input()).await && !world.bucket_exists(world.output()).await);
}

#[tokio::test]
#[ignore = "needs S3: cargo xtask test starts MiniStack"]
async fn a_shared_bucket_has_one_retention() {
    let first = World::new(|fleet| fleet.spec.storage.retention_days = Some(30)).await;
    first.buckets(&NOBODY).await.unwrap();
    // A fleet of another cluster, or one that is gone: only its rule is known.
    let stranger = first.successor(|fleet| {
        fleet.metadata.name = Some("other".to_owned());
        fleet.spec.storage.retention_days = Some(7);
    });
    let fault = stranger.buckets(&NOBODY).await.unwrap_err();
    assert_eq!(fault.reason, "RetentionDiffers");
    assert!(fault.message.contains("7 days") && fault.message.contains("classifierfleet-photos.imagenet"), "{}", fault.message);
    let mut agreed = first.successor(|fleet| fleet.metadata.name = Some("other".to_owned()));
    agreed.others.push(first.fleet.clone());
    agreed.buckets(&Living(vec![first.owner().uid])).await.unwrap();
    assert_eq!(first.rules(first.input()).await.len(), 2);
    assert_eq!(first.bucket_tags(first.input()).await, first.owner().tags(), "who made it has it");

    let mut going = first.successor(|fleet| fleet.metadata.uid = first.fleet.metadata.uid.clone());
    going.others.push(agreed.fleet.clone());
    going.delete_buckets(5).await.unwrap();
    assert!(first.bucket_exists(first.input()).await, "the other fleet still uses it");
    agreed.others.clear();
    agreed.buckets(&NOBODY).await.unwrap();
    assert_eq!(first.bucket_tags(first.input()).await, agreed.owner().tags(), "and has it now");
}

#[tokio::test]
#[ignore = "needs S3: cargo xtask test starts MiniStack"]
async fn a_full_bucket_is_deleted_piece_by_piece() {
    let world = World::new(|_| {}).await;
    world.buckets(&NOBODY).await.unwrap();
    let puts = (0..1100).map(|number| world.put(world.input(), number.to_string()));
    futures::stream::iter(puts.collect::<Vec<_>>()).buffer_unordered(16).collect::<Vec<()>>().await;
    let fault = world.delete_buckets(1).await.unwrap_err();
    assert_eq!(fault.reason, "CleaningUp");
    let left = world.s3.list_objects_v2().bucket(world.input()).send().await.unwrap();
    assert_eq!(left.key_count(), Some(100));
    assert!(world.bucket_exists(world.output()).await, "one after the other");
    world.delete_buckets(2).await.unwrap();
    world.delete_buckets(2).await.unwrap();
    assert!(!world.bucket_exists(world.input()).await && !world.bucket_exists(world.output()).await);
}

#[tokio::test]
#[ignore = "needs S3: cargo xtask test starts MiniStack"]
async fn old_versions_are_deleted_too() {
    let world = World::new(|_| {}).await;
    world.buckets(&NOBODY).await.unwrap();
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    world.s3.put_bucket_versioning().bucket(world.input()).versioning_configuration(on).send().await.unwrap();
    for _ in 0..2 {
        world.put(world.input(), "a".to_owned()).await;
    }
    world.s3.delete_object().bucket(world.input()).key("a").send().await.unwrap();
    world.delete_buckets(3).await.unwrap();
    assert!(!world.bucket_exists(world.input()).await);
}
