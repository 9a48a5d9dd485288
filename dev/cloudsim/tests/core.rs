//! The cloud in virtual time: no server, no process, no clock. What a simulator relies on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use cloudsim::state::{Cloud, Effect, LaunchRequest, LaunchSpec, Settings, ShutdownBehavior};
use cloudsim::{Endpoint, Refusal, Reply};
use jiff::{SignedDuration, Timestamp};

const IMAGE: &str = "ami-0123456789abcdef0";

fn settings() -> Settings {
    Settings {
        images: BTreeSet::from([IMAGE.to_owned()]),
        pending_delay: SignedDuration::from_secs(10),
        boot_delay: SignedDuration::from_secs(5),
        ..Settings::default()
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn request(token: &str, shutdown_behavior: ShutdownBehavior) -> LaunchRequest {
    LaunchRequest {
        token: Some(token.to_owned()),
        min_count: 1,
        max_count: 1,
        template: None,
        overrides: LaunchSpec { image_id: Some(IMAGE.to_owned()), shutdown_behavior: Some(shutdown_behavior), ..LaunchSpec::default() },
    }
}

/// A cloud with one instance, launched at 0.
fn launched(shutdown_behavior: ShutdownBehavior) -> (Cloud, String) {
    let mut cloud = Cloud::new(settings());
    let id = cloud.run_instances(request("token", shutdown_behavior), at(0)).unwrap().instance_ids.remove(0);
    (cloud, id)
}

fn state(cloud: &Cloud, id: &str) -> &'static str {
    cloud.instance(id).map_or("gone", |instance| instance.phase.name())
}

/// What effects are about, in a word.
fn words(effects: &[Effect]) -> Vec<&'static str> {
    let word = |effect: &Effect| match effect {
        Effect::Boot(boot) if boot.first => "first boot",
        Effect::Boot(_) => "boot",
        Effect::Shutdown { force: true, .. } => "kill",
        Effect::Shutdown { force: false, .. } => "shutdown",
    };
    effects.iter().map(word).collect()
}

enum Do {
    Tick,
    Stop,
    ForceStop,
    Start,
    Terminate,
    PowerOff,
    GuestEnded,
}

fn perform(cloud: &mut Cloud, step: &Do, id: &str, now: Timestamp) -> Vec<Effect> {
    let ids = [id.to_owned()];
    let mut effects = cloud.tick(now);
    effects.extend(match step {
        Do::Tick => Vec::new(),
        Do::Stop => cloud.stop_instances(&ids, false, now).unwrap().1,
        Do::ForceStop => cloud.stop_instances(&ids, true, now).unwrap().1,
        Do::Start => cloud.start_instances(&ids, now).unwrap().1,
        Do::Terminate => cloud.terminate_instances(&ids, now).unwrap().1,
        Do::PowerOff => cloud.guest_powered_off(id),
        Do::GuestEnded => {
            cloud.guest_ended(id, now);
            Vec::new()
        }
    });
    effects
}

/// Second, what is done then, the state after it, the effects of it.
type Step = (i64, Do, &'static str, &'static [&'static str]);

fn play(shutdown_behavior: ShutdownBehavior, script: &[Step]) {
    let (mut cloud, id) = launched(shutdown_behavior);
    for (second, step, expected, effects) in script {
        let seen = perform(&mut cloud, step, &id, at(*second));
        assert_eq!((state(&cloud, &id), words(&seen).as_slice()), (*expected, *effects), "at {second} s");
    }
}

#[test]
fn a_life_with_a_stop_in_it() {
    use Do::{ForceStop, GuestEnded, Start, Stop, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (9, Tick, "pending", &[]),
            (10, Tick, "running", &[]),
            (15, Tick, "running", &["first boot"]),
            (20, Stop, "stopping", &["shutdown"]),
            (21, Stop, "stopping", &[]),
            (22, GuestEnded, "stopped", &[]),
            (30, Start, "pending", &[]),
            (100, Tick, "running", &["boot"]),
            (110, ForceStop, "stopping", &["kill"]),
            (111, GuestEnded, "stopped", &[]),
            (120, Terminate, "shutting-down", &["shutdown"]),
            (121, GuestEnded, "terminated", &[]),
            (130, Terminate, "terminated", &[]),
            (121 + 3599, Tick, "terminated", &[]),
            (121 + 3600, Tick, "gone", &[]),
        ],
    );
}

#[test]
fn a_guest_that_powers_off() {
    use Do::{GuestEnded, PowerOff, Tick};
    for (behavior, going, gone) in
        [(ShutdownBehavior::Stop, "stopping", "stopped"), (ShutdownBehavior::Terminate, "shutting-down", "terminated")]
    {
        play(
            behavior,
            &[
                (1, PowerOff, "pending", &[]),
                (15, Tick, "running", &["first boot"]),
                (20, PowerOff, going, &["shutdown"]),
                (21, PowerOff, going, &[]),
                (22, GuestEnded, gone, &[]),
            ],
        );
    }
}

#[test]
fn what_is_terminated_while_pending_never_boots() {
    use Do::{GuestEnded, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (1, Terminate, "shutting-down", &["shutdown"]),
            (20, Tick, "shutting-down", &[]),
            (21, GuestEnded, "terminated", &[]),
            (40, Tick, "terminated", &[]),
        ],
    );
}

#[test]
fn what_is_terminated_while_stopping_is_switched_off_once() {
    use Do::{GuestEnded, Stop, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (15, Tick, "running", &["first boot"]),
            (20, Stop, "stopping", &["shutdown"]),
            (21, Terminate, "shutting-down", &[]),
            (22, GuestEnded, "terminated", &[]),
        ],
    );
}

#[test]
fn throttling_empties_and_refills_a_bucket() {
    let mut endpoint = Endpoint::new(Settings { throttle: true, ..settings() });
    let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=1");
    let mut ask = |body: &str, second: i64| match endpoint.handle(body, at(second)).reply {
        Reply::Answer { status, .. } => status,
        Reply::Drop => panic!("no answer"),
    };
    // Five at once, then two a second; reads have a bucket of their own.
    let statuses: Vec<u16> = [0, 0, 0, 0, 0, 0, 1, 1, 1].map(|second| ask(&launch, second)).to_vec();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 503, 200, 200, 503]);
    assert_eq!(ask("Action=DescribeInstances", 1), 200);
}

#[test]
fn the_next_due_time_leads_through_all_that_happens() {
    let (mut cloud, _) = launched(ShutdownBehavior::Stop);
    let mut seen = Vec::new();
    while let Some(due) = cloud.next_due() {
        seen.push((due, words(&cloud.tick(due)).join(" ")));
    }
    assert_eq!(seen, [(at(10), String::new()), (at(15), "first boot".to_owned())]);
}

#[test]
fn a_token_outlives_its_instances() {
    let (mut cloud, id) = launched(ShutdownBehavior::Stop);
    cloud.terminate_instances(std::slice::from_ref(&id), at(1)).unwrap();
    cloud.guest_ended(&id, at(2));
    cloud.tick(at(10_000));
    assert_eq!(cloud.instances().count(), 0);
    let again = cloud.run_instances(request("token", ShutdownBehavior::Stop), at(10_001));
    assert_eq!(again, Err(Refusal::IdempotentInstanceTerminated("token".to_owned())));
}

#[test]
fn one_seed_gives_one_history() {
    let history = || {
        let mut endpoint = Endpoint::new(settings());
        let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=3&Version=2016-11-15");
        let replies = [launch.as_str(), "Action=DescribeInstances"].map(|body| endpoint.handle(body, at(7)).reply);
        (format!("{replies:?}"), endpoint.log().to_vec())
    };
    assert_eq!(history(), history());
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=1");
    let launch = |more: &str| format!("{launch}&{more}");
    let cases = [
        ("Action=Dance".to_owned(), "InvalidAction", "Dance"),
        (String::new(), "MissingParameter", "Action"),
        ("Action=DescribeInstances&Version=2010-01-01".to_owned(), "UnsupportedOperation", "2010-01-01"),
        ("Action=DescribeInstances&DryRun=true".to_owned(), "UnsupportedOperation", "DryRun=true"),
        ("Action=DescribeInstances&Filter.1.Name=tag-key&Filter.1.Mood=good".to_owned(), "UnknownParameter", "Filter.1.Mood"),
        ("Action=StopInstances&InstanceId.1=i-01234567&Hibernate=true".to_owned(), "UnsupportedOperation", "Hibernate=true"),
        (launch("NetworkInterface.1.SubnetId=subnet-01234567"), "UnknownParameter", "NetworkInterface.1.SubnetId"),
        (launch("Placement.Tenancy=host"), "UnknownParameter", "Placement.Tenancy"),
        (launch("MetadataOptions.HttpTokens=perhaps"), "InvalidParameterValue", "perhaps"),
        (launch("BlockDeviceMapping.1.Ebs.VolumeSize=0"), "InvalidParameterValue", "Volume size 0"),
        (launch("TagSpecification.1.ResourceType=fleet"), "UnsupportedOperation", "ResourceType=fleet"),
        (launch("SecurityGroupId.1=default"), "InvalidGroupId.Malformed", "default"),
        (launch("SubnetId=mine"), "InvalidSubnetID.Malformed", "mine"),
    ];
    for (body, code, name) in cases {
        let Reply::Answer { status, body: answer } = Endpoint::new(settings()).handle(&body, at(0)).reply else {
            panic!("{body}: no answer");
        };
        assert_eq!(status, 400, "{body}");
        assert!(answer.contains(&format!("<Code>{code}</Code>")) && answer.contains(name), "{body}: {answer}");
    }
}
