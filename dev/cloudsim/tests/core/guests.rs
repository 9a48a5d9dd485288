//! Simulated guests: they register, see that they shall drain, and power off.

use std::collections::BTreeSet;

use cloudsim::state::{Cloud, LaunchRequest, LaunchSpec, MetadataOptions, Settings, ShutdownBehavior, Simulation, Tags};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{IMAGE, at, request, settings, state};

const READY: &str = "classifierfleet:ready";
const INTENT: &str = "classifierfleet:intent";

fn simulated() -> Settings {
    let simulation = Simulation { drain_delay: SignedDuration::from_secs(30), ..Simulation::default() };
    Settings { simulation: Some(simulation), ..settings() }
}

/// A worker's instance: the metadata service shows its tags.
fn worker(token: &str, shutdown_behavior: ShutdownBehavior) -> LaunchRequest {
    let base = request(token, shutdown_behavior);
    let metadata = MetadataOptions { tags_enabled: Some(true), ..MetadataOptions::default() };
    // Of a Nitro type, whose metadata shows tags as they are now.
    let instance_type = Some("t3.small".to_owned());
    LaunchRequest { overrides: LaunchSpec { metadata, instance_type, ..base.overrides }, ..base }
}

fn launched(settings: Settings, request: LaunchRequest) -> (Cloud, String) {
    let mut cloud = Cloud::new(settings);
    let id = cloud.run_instances(request, at(0)).unwrap().instance_ids.remove(0);
    (cloud, id)
}

fn intend(cloud: &mut Cloud, id: &str, intent: &str, now: Timestamp) {
    cloud.create_tags(&[id.to_owned()], &Tags::from([(INTENT.to_owned(), intent.to_owned())]), now).unwrap();
}

fn ready(cloud: &Cloud, id: &str) -> Option<serde_json::Value> {
    cloud.instance(id).unwrap().tags.get(READY).map(|text| serde_json::from_str(text).unwrap())
}

#[test]
fn a_guest_registers_when_it_has_booted() {
    let (mut cloud, id) = launched(simulated(), worker("a", ShutdownBehavior::Stop));
    assert!(cloud.tick(at(14)).is_empty());
    assert_eq!(ready(&cloud, &id), None);
    assert!(cloud.tick(at(15)).is_empty(), "nothing is left to be done outside");
    let expected = json!({"at": "1970-01-01T00:00:15Z", "imagesPerSecond": 30.0, "model": "efficientnet-lite0@1"});
    assert_eq!(ready(&cloud, &id), Some(expected));
}

#[test]
fn a_guest_drains_and_then_powers_off() {
    for (behavior, gone) in [(ShutdownBehavior::Terminate, "terminated"), (ShutdownBehavior::Stop, "stopped")] {
        let (mut cloud, id) = launched(simulated(), worker("a", behavior));
        cloud.tick(at(18));
        // It booted at 15 and looks at 17, 19, 21: it sees this at 19, and is done 30 s later.
        intend(&mut cloud, &id, "drain", at(18));
        assert_eq!(cloud.next_due(), Some(at(19)));
        cloud.tick(at(48));
        assert_eq!(state(&cloud, &id), "running");
        assert_eq!(cloud.next_due(), Some(at(49)));
        let reason = |cloud: &Cloud| cloud.instance(&id).unwrap().reason.clone().unwrap().code;
        cloud.tick(at(49));
        assert_eq!((state(&cloud, &id), reason(&cloud)), (gone, "Client.InstanceInitiatedShutdown"));
    }
}

#[test]
fn a_call_shows_the_state_on_the_way() {
    let (mut cloud, id) = launched(simulated(), worker("a", ShutdownBehavior::Stop));
    cloud.tick(at(15));
    let (changes, effects) = cloud.stop_instances(std::slice::from_ref(&id), false, at(20)).unwrap();
    assert_eq!((changes[0].current.name(), effects.len()), ("stopping", 0));
    cloud.tick(at(20));
    assert_eq!(state(&cloud, &id), "stopped");
}

#[test]
fn a_wish_that_is_taken_back_in_time_is_not_seen() {
    let (mut cloud, id) = launched(simulated(), worker("a", ShutdownBehavior::Stop));
    cloud.tick(at(18));
    intend(&mut cloud, &id, "drain", at(18));
    cloud.delete_tags(std::slice::from_ref(&id), &[(INTENT.to_owned(), None)], at(18)).unwrap();
    cloud.tick(at(1000));
    assert_eq!(state(&cloud, &id), "running");
    // Any other wish is none of its concern, and a drain that has begun goes on.
    intend(&mut cloud, &id, "rest", at(1000));
    assert_eq!(cloud.next_due(), None);
    intend(&mut cloud, &id, "drain", at(1000));
    cloud.tick(at(1002));
    intend(&mut cloud, &id, "stay", at(1003));
    cloud.tick(at(1032));
    assert_eq!(state(&cloud, &id), "stopped");
}

#[test]
fn a_guest_that_boots_again_registers_again() {
    let (mut cloud, id) = launched(simulated(), worker("a", ShutdownBehavior::Stop));
    cloud.tick(at(20));
    cloud.stop_instances(std::slice::from_ref(&id), false, at(20)).unwrap();
    cloud.tick(at(30));
    cloud.start_instances(std::slice::from_ref(&id), at(30)).unwrap();
    cloud.tick(at(44));
    assert_eq!(ready(&cloud, &id).unwrap()["at"], "1970-01-01T00:00:15Z", "the tag of the first boot is still there");
    cloud.tick(at(45));
    assert_eq!(ready(&cloud, &id).unwrap()["at"], "1970-01-01T00:00:45Z");
    // Told to drain before it booted, it leaves at once.
    cloud.stop_instances(std::slice::from_ref(&id), false, at(50)).unwrap();
    cloud.tick(at(50));
    intend(&mut cloud, &id, "drain", at(51));
    cloud.start_instances(std::slice::from_ref(&id), at(60)).unwrap();
    cloud.tick(at(75 + 29));
    assert_eq!(state(&cloud, &id), "running");
    cloud.tick(at(75 + 30));
    assert_eq!(state(&cloud, &id), "stopped");
}

#[test]
fn a_guest_whose_metadata_shows_no_tags_never_drains() {
    let (mut cloud, id) = launched(simulated(), request("a", ShutdownBehavior::Stop));
    cloud.tick(at(15));
    assert!(ready(&cloud, &id).is_some());
    intend(&mut cloud, &id, "drain", at(16));
    assert_eq!(cloud.next_due(), None);
}

#[test]
fn the_guest_of_a_broken_image_does_nothing_until_it_is_mended() {
    let (mut cloud, id) = launched(simulated(), worker("a", ShutdownBehavior::Stop));
    assert!(cloud.set_broken_images(BTreeSet::from([IMAGE[..8].to_owned()])));
    cloud.tick(at(15));
    intend(&mut cloud, &id, "drain", at(16));
    cloud.tick(at(1000));
    assert_eq!((ready(&cloud, &id), state(&cloud, &id)), (None, "running"));
    cloud.set_broken_images(BTreeSet::new());
    let id = cloud.run_instances(worker("b", ShutdownBehavior::Stop), at(1000)).unwrap().instance_ids.remove(0);
    cloud.tick(at(1015));
    assert!(ready(&cloud, &id).is_some());
    assert!(!Cloud::new(settings()).set_broken_images(BTreeSet::new()), "processes are broken in their image's folder");
}

#[test]
fn boots_differ_by_the_jitter_and_are_the_same_for_a_seed() {
    let boots = |seed| {
        let settings = Settings { boot_delay: SignedDuration::from_secs(100), boot_jitter: 0.5, seed, ..simulated() };
        let mut cloud = Cloud::new(settings);
        cloud.run_instances(LaunchRequest { max_count: 50, ..worker("a", ShutdownBehavior::Stop) }, at(0)).unwrap();
        let mut times = Vec::new();
        while let Some(due) = cloud.next_due() {
            cloud.tick(due);
            times.push(due);
        }
        times
    };
    let times = boots(1);
    assert!(times.len() > 40 && times[1..].iter().all(|time| (at(60)..=at(160)).contains(time)), "{times:?}");
    assert_eq!(times, boots(1));
    assert_ne!(times, boots(2));
}

#[test]
fn ten_thousand_guests_that_wait_need_no_time() {
    let mut cloud = Cloud::new(simulated());
    let ids = cloud.run_instances(LaunchRequest { max_count: 10_000, ..worker("a", ShutdownBehavior::Stop) }, at(0)).unwrap().instance_ids;
    cloud.tick(at(15));
    assert!(ids.iter().all(|id| ready(&cloud, id).is_some()));
    assert_eq!(cloud.next_due(), None);
}
