//! Who may use which queue and bucket, how queues are set, how long buckets keep what is in them.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use aws_sdk_s3::types::{ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use crds::{ClassifierFleet, Queue};
use operator::prepare::buckets::lifecycle::{RuleError, revised, rule_id};
use operator::prepare::names::Fleets;
use operator::prepare::owner::{Owner, Registry, Tags, Whose};
use operator::prepare::queues::settings::{Attributes, changes, dead_letter, reply, request};
use operator::prepare::{Fault, NAME_IN_USE};

/// The example's fleet under this name, made at this second, with queues and buckets of its own.
fn fleet(name: &str, second: u32, change: impl FnOnce(&mut ClassifierFleet)) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../examples/imagenet.yaml")).unwrap();
    let made = format!(
        r#"{{"name": "{name}", "namespace": "photos", "uid": "uid-{name}", "creationTimestamp": "2026-01-01T00:00:{second:02}Z"}}"#
    );
    fleet.metadata = serde_json::from_str(&made).unwrap();
    fleet.spec.queues.request.name = format!("{name}-requests");
    fleet.spec.queues.response.name = format!("{name}-responses");
    fleet.spec.storage.input_bucket = format!("{name}-in");
    fleet.spec.storage.output_bucket = format!("{name}-out");
    change(&mut fleet);
    fleet
}

fn fleets(all: &[&ClassifierFleet]) -> Fleets {
    Fleets { all: all.iter().map(|fleet| Arc::new((*fleet).clone())).collect(), default_region: Some("us-east-1".to_owned()) }
}

/// Whether the second is refused for the first.
fn clash(one: impl FnOnce(&mut ClassifierFleet), other: impl FnOnce(&mut ClassifierFleet)) -> Option<Fault> {
    let (older, younger) = (fleet("older", 1, one), fleet("younger", 2, other));
    let fleets = fleets(&[&younger, &older]);
    assert_eq!(fleets.free(&older), Ok(()), "the older one is never refused");
    fleets.free(&younger).err()
}

fn set(name: &'static str) -> impl Fn(&mut Queue) {
    move |queue| name.clone_into(&mut queue.name)
}

#[test]
fn the_younger_of_two_fleets_that_share_a_queue_is_refused_in_whatever_role() {
    assert_eq!(clash(|_| {}, |_| {}), None);
    let same = clash(|fleet| set("q")(&mut fleet.spec.queues.request), |fleet| set("q")(&mut fleet.spec.queues.request)).unwrap();
    assert_eq!(same.reason, NAME_IN_USE);
    assert!(same.message.contains("The queue q is used by the older fleet photos/older"), "{}", same.message);
    let dead = Some(Queue { name: "younger-requests".to_owned() });
    assert!(clash(|fleet| fleet.spec.queues.dead_letter = dead, |_| {}).is_some(), "a dead-letter queue");
    assert!(clash(|_| {}, |fleet| set("older-requests-dead")(&mut fleet.spec.queues.request)).is_some(), "the default dead-letter queue");
    assert!(clash(|fleet| set("r")(&mut fleet.spec.queues.response), |fleet| set("r")(&mut fleet.spec.queues.response)).is_some());
    assert!(
        clash(|_| {}, |fleet| set("older-responses-17")(&mut fleet.spec.queues.request)).is_some(),
        "a reply queue of a replica to come"
    );
    assert!(clash(|fleet| set("younger-responses-0")(&mut fleet.spec.queues.request), |_| {}).is_some());
    for other in ["older-responses", "older-responses-", "older-responses-a", "older-responses-1a"] {
        assert_eq!(clash(|_| {}, |fleet| set(other)(&mut fleet.spec.queues.request)), None, "{other}");
    }
}

#[test]
fn fleets_in_other_regions_or_behind_other_endpoints_have_queues_of_their_own() {
    let shared = |region: Option<&str>, url: Option<&str>| {
        let (region, url) = (region.map(str::to_owned), url.map(str::to_owned));
        move |fleet: &mut ClassifierFleet| {
            set("q")(&mut fleet.spec.queues.request);
            fleet.spec.region = region;
            fleet.spec.endpoint_url = url;
        }
    };
    assert_eq!(clash(shared(Some("eu-central-1"), None), shared(None, None)), None);
    assert_eq!(clash(shared(None, Some("http://a")), shared(None, None)), None);
    assert!(clash(shared(Some("us-east-1"), None), shared(None, None)).is_some(), "the operator's region, said and unsaid");
    assert!(clash(shared(None, Some("http://a/")), shared(None, Some("http://a"))).is_some());
}

#[test]
fn of_two_fleets_of_the_same_second_one_has_the_queue() {
    let share = |fleet: &mut ClassifierFleet| set("q")(&mut fleet.spec.queues.request);
    let (a, b) = (fleet("a", 1, share), fleet("b", 1, share));
    let fleets = fleets(&[&b, &a]);
    assert!(fleets.free(&a).is_ok() && fleets.free(&b).is_err());
}

#[test]
fn buckets_are_shared_but_not_with_another_retention() {
    let share = |days| {
        move |fleet: &mut ClassifierFleet| {
            "both".clone_into(&mut fleet.spec.storage.output_bucket);
            fleet.spec.storage.retention_days = days;
        }
    };
    let (older, younger) = (fleet("older", 1, share(Some(7))), fleet("younger", 2, share(None)));
    let known = fleets(&[&older, &younger]);
    assert_eq!(known.sharing(&older, "both").differs, None);
    assert_eq!(known.sharing(&younger, "both").differs, Some((Some(7), "photos/older".to_owned())));
    assert_eq!(known.sharing(&younger, "both").rule_ids, [rule_id(&older)]);
    assert_eq!(known.sharing(&younger, "younger-in"), Default::default());
    assert_eq!(known.user_of("both", &older), Some("photos/younger".to_owned()));
    assert_eq!(known.user_of("older-in", &older), None);
}

struct Living(&'static [&'static str]);

impl Registry for Living {
    async fn lives(&self, owner: &Owner) -> Result<bool, Fault> {
        Ok(self.0.contains(&owner.uid.as_str()))
    }
}

#[tokio::test]
async fn tags_say_whose_a_queue_is() {
    let owner = Owner::of(&fleet("a", 1, |_| {}), "east");
    let of = |cluster: Option<&str>, uid: &str| {
        let other = Owner { cluster: cluster.map(str::to_owned), uid: uid.to_owned(), namespace: "n".to_owned(), name: "b".to_owned() };
        let mut tags = other.tags();
        tags.insert("team".to_owned(), "vision".to_owned());
        (other, tags)
    };
    let registry = Living(&["uid-b"]);
    let whose = async |tags: &Tags| owner.whose(tags, &registry).await.unwrap();
    assert_eq!(whose(&Tags::from([("team".to_owned(), "vision".to_owned())])).await, Whose::Nobodys);
    assert_eq!(whose(&owner.tags()).await, Whose::Own);
    let (alive, tags) = of(Some("east"), "uid-b");
    assert_eq!(whose(&tags).await, Whose::Anothers(alive));
    assert_eq!(whose(&of(Some("east"), "uid-gone").1).await, Whose::Inherited);
    for cluster in [Some("west"), None] {
        let (other, tags) = of(cluster, "uid-gone");
        assert_eq!(whose(&tags).await, Whose::Anothers(other), "nothing is known of fleets elsewhere");
        assert_eq!(whose(&of(cluster, "uid-a").1).await, Whose::Inherited, "the same fleet, of a cluster that got a name");
    }
}

#[test]
fn settings_are_what_the_spec_says() {
    let queues = fleet("a", 1, |fleet| {
        fleet.spec.queues.visibility_timeout_seconds = 90;
        fleet.spec.queues.max_receives = 5;
        fleet.spec.queues.maximum_message_bytes = Some(1024);
    })
    .spec
    .queues;
    let wanted = request(&queues, "arn:dead");
    assert_eq!((wanted[&Name::VisibilityTimeout].as_str(), wanted[&Name::MaximumMessageSize].as_str()), ("90", "1024"));
    let redrive: serde_json::Value = serde_json::from_str(&wanted[&Name::RedrivePolicy]).unwrap();
    assert_eq!(redrive, serde_json::json!({"deadLetterTargetArn": "arn:dead", "maxReceiveCount": 5}));
    assert_eq!(wanted.get(&Name::FifoQueue), None);
    assert_eq!(dead_letter(&queues)[&Name::MessageRetentionPeriod], "1209600");
    assert_eq!(reply()[&Name::MessageRetentionPeriod], "3600");
}

#[test]
fn fifo_queues_have_no_common_limit() {
    let queues = fleet("a", 1, |fleet| fleet.spec.queues.fifo = true).spec.queues;
    let wanted = request(&queues, "arn:dead");
    let settings = [Name::FifoQueue, Name::DeduplicationScope, Name::FifoThroughputLimit].map(|name| wanted[&name].as_str());
    assert_eq!(settings, ["true", "messageGroup", "perMessageGroupId"]);
    assert_eq!(dead_letter(&queues)[&Name::FifoQueue], "true");
    let changes = changes(wanted, &Attributes::new());
    assert!(!changes.contains_key(&Name::FifoQueue), "it cannot be changed");
}

#[test]
fn only_what_differs_is_written() {
    let queues = fleet("a", 1, |_| {}).spec.queues;
    let wanted = || request(&queues, "arn:dead");
    // As SQS and its stand-ins write it.
    let mut live = Attributes::from([
        (Name::VisibilityTimeout, "60".to_owned()),
        (Name::RedrivePolicy, r#"{"maxReceiveCount":"3", "deadLetterTargetArn":"arn:dead"}"#.to_owned()),
        (Name::DelaySeconds, "0".to_owned()),
    ]);
    assert_eq!(changes(wanted(), &live), Attributes::new());
    live.insert(Name::MaximumMessageSize, "262144".to_owned());
    assert_eq!(changes(wanted(), &live), Attributes::new(), "no limit is asked for");
    live.remove(&Name::RedrivePolicy);
    live.insert(Name::VisibilityTimeout, "30".to_owned());
    let mut changed: Vec<Name> = changes(wanted(), &live).into_keys().collect();
    changed.sort();
    assert_eq!(changed, [Name::RedrivePolicy, Name::VisibilityTimeout]);
}

fn rule(id: &str, days: i32, prefix: &str, status: ExpirationStatus) -> LifecycleRule {
    let (filter, expiration) = (LifecycleRuleFilter::builder().prefix(prefix).build(), LifecycleExpiration::builder().days(days).build());
    LifecycleRule::builder().id(id).filter(filter).expiration(expiration).status(status).build().unwrap()
}

#[test]
fn a_bucket_gets_the_fleets_rule_and_keeps_those_of_others() {
    use ExpirationStatus::{Disabled, Enabled};
    let users = rule("logs", 3, "logs/", Enabled);
    let ours = rule("classifierfleet-photos.a", 7, "", Enabled);
    let id = "classifierfleet-photos.a";
    assert_eq!(rule_id(&fleet("a", 1, |_| {})), id);
    let revise = |rules: &[LifecycleRule], days| revised(rules, id, days, &[]).unwrap();
    assert_eq!(revise(&[], None), None);
    assert_eq!(revise(std::slice::from_ref(&users), Some(7)), Some(vec![users.clone(), ours.clone()]), "added");
    assert_eq!(revise(&[ours.clone(), users.clone()], Some(7)), None, "right already");
    assert_eq!(revise(&[ours.clone(), users.clone()], None), Some(vec![users.clone()]), "unset");
    for wrong in [rule(id, 8, "", Enabled), rule(id, 7, "a/", Enabled), rule(id, 7, "", Disabled)] {
        assert_eq!(revise(&[users.clone(), wrong], Some(7)), Some(vec![users.clone(), ours.clone()]), "put right");
    }
}

#[test]
fn a_rule_of_an_unknown_fleet_is_respected() {
    let theirs = rule("classifierfleet-photos.b", 30, "", ExpirationStatus::Enabled);
    let (id, rules) = ("classifierfleet-photos.a", [theirs.clone()]);
    for days in [None, Some(7)] {
        assert!(matches!(revised(&rules, id, days, &[]), Err(RuleError::Stranger { days: 30, .. })));
    }
    assert_eq!(revised(&rules, id, Some(30), &[]).unwrap().unwrap().len(), 2, "the same retention");
    let known = ["classifierfleet-photos.b".to_owned()];
    assert_eq!(revised(&rules, id, None, &known).unwrap(), None, "a known fleet puts its rule right itself");
}
