//! What the operator remembers, and what it lays over EC2's lists.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use crds::ClassifierFleet;
use ec2::{Instance, InstanceState, tags};
use jiff::{SignedDuration, Timestamp};
use operator::memory::{Memory, Remembered, Told};
use operator::observe::inventory::Snapshot;
use operator::observe::{Observation, Sources, observation};
use operator::prices::Prices;
use plan::{QueueDepth, State, Waiting};

const UID: &str = "uid-1";

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn fleet(version: &str) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../examples/imagenet.yaml")).unwrap();
    fleet.metadata.resource_version = Some(version.to_owned());
    fleet.status.get_or_insert_default().desired = 4;
    fleet
}

#[test]
fn the_newer_of_watch_and_own_write_counts() {
    for (written, watched, newest) in [("9", "10", "10"), ("10", "9", "10"), ("10", "10", "10"), ("x", "9", "9"), ("10", "y", "y")] {
        let mut remembered = Remembered { written: Some(fleet(written)), ..Remembered::default() };
        assert_eq!(remembered.newest(&fleet(watched)).metadata.resource_version.unwrap(), newest);
    }
}

#[test]
fn failed_samples_are_counted_until_one_succeeds_and_hold_for_a_moment() {
    let mut remembered = Remembered::default();
    let (later, moment) = (noon() + SignedDuration::from_secs(1), SignedDuration::from_secs(1));
    for count in 1..=3 {
        remembered.sampled(noon(), &Err("no answer".to_owned()));
        assert_eq!(remembered.failed_samples.as_ref().unwrap().count, count);
    }
    assert_eq!(remembered.just_failed(noon(), moment).unwrap(), "no answer");
    assert_eq!(remembered.just_failed(later, moment), None);
    remembered.sampled(later, &Ok(QueueDepth::default()));
    assert_eq!((remembered.just_failed(later, moment), remembered.failed_samples), (None, None));
}

#[test]
fn the_last_sample_serves_in_haste_once_while_it_is_not_old() {
    let mut remembered = Remembered::default();
    let (depth, soon) = (QueueDepth { visible: 7, ..QueueDepth::default() }, noon() + SignedDuration::from_secs(59));
    assert_eq!(remembered.depth_in_haste(noon()), None, "there was none");
    remembered.sampled(noon(), &Ok(depth));
    assert_eq!(remembered.depth_in_haste(soon), Some((depth, noon())));
    assert_eq!(remembered.depth_in_haste(noon() + SignedDuration::from_secs(60)), None, "it is old");
    remembered.impatient = true;
    assert_eq!(remembered.depth_in_haste(soon), None, "it served once");
    remembered.sampled(noon(), &Err("no answer".to_owned()));
    assert_eq!(remembered.depth_in_haste(soon), None, "SQS fails");
    remembered.sampled(noon(), &Ok(depth));
    assert_eq!(remembered.depth_in_haste(soon), Some((depth, noon())), "it answers again");
}

#[test]
fn recommendations_older_than_the_window_are_forgotten_and_repeated_ones_are_one() {
    let mut remembered = Remembered::default();
    for (second, workers) in [(0, 3), (1, 3), (2, 5), (3, 5), (40, 1)] {
        remembered.recommend(noon() + SignedDuration::from_secs(second), workers, SignedDuration::from_secs(39));
    }
    let kept: Vec<_> = remembered.history.iter().map(|entry| (entry.at.duration_since(noon()).as_secs(), entry.workers)).collect();
    assert_eq!(kept, [(3, 5), (40, 1)]);
}

fn instance(id: &str, tags: &[(&str, &str)]) -> Instance {
    Instance {
        id: id.to_owned(),
        state: InstanceState::Running,
        launched_at: noon() - SignedDuration::from_secs(100),
        instance_type: "t3.small".to_owned(),
        subnet_id: Some("subnet-0123456789abcdef0".to_owned()),
        zone: None,
        private_ip: None,
        spot: false,
        state_reason: None,
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
    }
}

fn observe(memory: &Memory, instances: Vec<Instance>, now: Timestamp) -> plan::Observed {
    look(memory, instances, now).observed
}

fn look(memory: &Memory, instances: Vec<Instance>, now: Timestamp) -> Observation {
    let snapshot = Snapshot { at: now, by_fleet: HashMap::from([(UID.to_owned(), instances)]) };
    let (fleet, prices) = (fleet("1"), Prices::default());
    let snapshot = Some(&snapshot);
    let sources = Sources { snapshot, sample: None, waiting: Waiting::default(), template: None, prices: &prices, region: "us-east-1" };
    observation(&fleet, &fleet.settings("r1"), memory, UID, sources, now)
}

/// Registered half a minute after the launch.
const READY: &str = r#"{"at":"2026-06-01T11:58:50Z","imagesPerSecond":4.5,"model":"m@1"}"#;

/// A boot is learned once, and not from the first list: an operator that starts finds workers that others learned from.
#[test]
fn boots_are_learned_once() {
    let memory = Memory::default();
    let boot = |listed: Vec<Instance>| observe(&memory, listed, noon()).learned.boot_cold.map(|boot| boot.as_secs());
    let (first, second) = (instance("i-1", &[(tags::READY, READY)]), instance("i-2", &[(tags::READY, READY)]));
    assert_eq!(boot(vec![first.clone()]), None);
    assert_eq!(boot(vec![first.clone(), second.clone()]), Some(30));
    // The status keeps what was learned; here nobody wrote it, so nothing is left of it.
    assert_eq!(boot(vec![first, second]), None);
}

#[test]
fn tags_tell_what_an_instance_does() {
    let since = "2026-06-01T11:59:00Z";
    let listed = vec![
        instance("i-booting", &[]),
        instance("i-ready", &[(tags::READY, READY)]),
        instance("i-earlier", &[(tags::READY, r#"{"at":"2026-06-01T11:00:00Z"}"#)]),
        instance("i-warm", &[(tags::READY, "")]),
        instance("i-draining", &[(tags::INTENT, "drain"), (tags::INTENT_AT, since)]),
        instance("i-kept", &[(tags::INTENT, "keep")]),
        instance("i-again", &[(tags::INTENT, "drain"), (tags::INTENT_AT, "2026-06-01T11:00:00Z")]),
        instance("i-torn", &[(tags::INTENT, "drain"), (tags::INTENT_AT, "yesterday")]),
    ];
    let observed = observe(&Memory::default(), listed, noon());
    let seen: Vec<_> = observed.inventory.unwrap().instances.into_iter().map(|i| (i.id, i.ready, i.draining_since)).collect();
    let launched = noon() - SignedDuration::from_secs(100);
    assert_eq!(
        seen,
        [
            ("i-booting".to_owned(), false, None),
            ("i-ready".to_owned(), true, None),
            ("i-earlier".to_owned(), false, None),
            ("i-warm".to_owned(), false, None),
            ("i-draining".to_owned(), false, Some("2026-06-01T11:59:01Z".parse().unwrap())),
            ("i-kept".to_owned(), false, None),
            ("i-again".to_owned(), false, None),
            ("i-torn".to_owned(), false, Some(launched)),
        ]
    );
}

#[test]
fn a_worker_that_was_started_again_is_not_ready_until_it_says_so_and_gets_time_for_it_a_few_times() {
    let restarted = |at: &str, count: u32| format!(r#"{{"at":"2026-06-01T{at}Z","count":{count}}}"#);
    let seen = |restarted: &str| {
        let listed = vec![instance("i-1", &[(tags::READY, READY), (tags::RESTARTED, restarted)])];
        let instance = observe(&Memory::default(), listed, noon()).inventory.unwrap().instances.remove(0);
        (instance.ready, noon().duration_since(instance.boots_since).as_secs())
    };
    assert_eq!(seen(&restarted("11:58:40", 1)), (true, 80), "ready again since");
    assert_eq!(seen(&restarted("11:59:30", 1)), (false, 30));
    assert_eq!(seen(&restarted("11:59:30", 4)), (false, 30));
    assert_eq!(seen(&restarted("11:59:30", 5)), (false, 100), "no more time");
    assert_eq!(seen(&restarted("11:58:00", 7)), (true, 100), "before the machine was last started");
    assert_eq!(seen("nonsense"), (true, 100));
}

#[test]
fn each_time_that_a_worker_is_started_again_is_told_once() {
    let memory = Memory::default();
    let told = |count: u32| {
        let restarted = format!(r#"{{"at":"2026-06-01T11:59:30Z","count":{count}}}"#);
        look(&memory, vec![instance("i-1", &[(tags::RESTARTED, restarted.as_str())])], noon()).restarted
    };
    assert!(told(2).is_empty(), "before this operator started");
    assert_eq!((told(3), told(3)), (vec![("i-1".to_owned(), 3)], vec![]));
    assert!(told(1).is_empty(), "the machine booted anew");
    assert_eq!(told(2), [("i-1".to_owned(), 2)]);
}

/// EC2's lists lag: what was told a moment ago counts, until they must have caught up.
#[test]
fn orders_count_before_ec2_lists_them() {
    let memory = Memory::default();
    memory.with(UID, |remembered| {
        remembered.told.insert("i-1".to_owned(), Told::Drain(noon()));
        remembered.told.insert("i-2".to_owned(), Told::Terminate(noon()));
    });
    let listed = vec![instance("i-1", &[]), instance("i-2", &[])];
    let now = observe(&memory, listed.clone(), noon()).inventory.unwrap().instances;
    assert_eq!((now[0].draining_since, now[1].state), (Some(noon()), State::ShuttingDown));
    let later = observe(&memory, listed, noon() + SignedDuration::from_mins(3)).inventory.unwrap().instances;
    assert_eq!((later[0].draining_since, later[1].state), (None, State::Running));
}

/// A fresh operator takes the number it finds for recommended just now: its start never scales in.
#[test]
fn a_fresh_operator_remembers_the_number_it_finds() {
    let observed = observe(&Memory::default(), vec![], noon());
    assert_eq!(observed.history.iter().map(|entry| (entry.at, entry.workers)).collect::<Vec<_>>(), [(noon(), 4)]);
}

#[test]
fn a_fleet_that_was_let_go_is_known_to_be_gone_for_as_long_as_a_watch_may_lag() {
    let memory = Memory::default();
    memory.with(UID, |remembered| remembered.failures = 3);
    assert!(!memory.is_gone(UID));
    memory.let_go(UID, noon());
    assert!(memory.is_gone(UID));
    assert_eq!(memory.with(UID, |remembered| remembered.failures), 0, "nothing else is remembered");
    memory.let_go("uid-2", noon() + SignedDuration::from_hours(2));
    assert!(!memory.is_gone(UID) && memory.is_gone("uid-2"), "not for ever");
}
