//! Whole runs: the load is answered, the bill is right, the same seed plays the same.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use sim::arrivals::Arrivals;
use sim::distribution::Distribution;
use sim::peers::Peer;
use sim::run::{Played, Scenario, run};

fn burst(images: u32) -> Scenario {
    let mut scenario = Scenario::new(Arrivals::Burst(images));
    let worker = &mut scenario.settings.worker;
    worker.boot_cold = Distribution::Constant(30.0);
    worker.boot_warm = Distribution::Constant(15.0);
    worker.service = Distribution::Constant(1.0);
    scenario
}

fn seconds(played: &Played) -> Vec<f64> {
    played.answers.iter().map(|answer| answer.answered_at.duration_since(answer.uploaded_at).as_secs_f64()).collect()
}

#[test]
fn every_peer_answers_every_image_and_is_billed_for_what_ran() {
    for peer in Peer::ALL {
        let played = run(&burst(60), &peer.with_max(20)).unwrap();
        assert_eq!(played.answers.len(), 60, "{peer:?}");
        let slowest = seconds(&played).into_iter().fold(0.0, f64::max);
        assert!((30.0..400.0).contains(&slowest), "{peer:?}: {slowest} s");
        let bill = played.bill;
        assert!(bill.starts > 0 && bill.seconds >= 60.0 && bill.billed_seconds >= 60.0 * f64::from(u32::try_from(bill.starts).unwrap()));
        assert!(played.moments.iter().map(|moment| moment.running).max().unwrap() <= 20, "{peer:?}");
    }
}

#[test]
fn one_instance_for_each_message_boots_together_and_works_in_turn() {
    let played = run(&burst(19), &Peer::PerMessage.with_max(20)).unwrap();
    assert_eq!(played.bill.starts, 19);
    let slowest = seconds(&played).into_iter().fold(0.0, f64::max);
    assert!((31.0..45.0).contains(&slowest), "a phase of 5 s, a boot of 30 s, a few images that one worker holds: {slowest}");
}

#[test]
fn the_same_seed_plays_the_same_and_another_one_does_not() {
    let play = |seed| {
        let mut scenario = Scenario::new(Arrivals::Poisson { rate: 1.0, lasts: Duration::from_secs(300) });
        scenario.settings.seed = seed;
        let played = run(&scenario, &Peer::Keda.with_max(20)).unwrap();
        (played.answers, played.bill)
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7), play(8));
}

#[test]
fn a_policy_that_always_keeps_one_is_billed_for_the_tail_and_no_longer() {
    let played = run(&burst(4), &Peer::RatioRestarted.with_max(20)).unwrap();
    let last = played.moments.last().unwrap();
    assert_eq!(last.running, 1);
    assert!((1200.0..1400.0).contains(&last.second), "{}", last.second);
}

fn fleet(target: &str, max: u32) -> sim::fleet::Fleet {
    let target: serde_json::Value = serde_json::from_str(target).unwrap();
    let fleet = serde_json::from_value(serde_json::json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": "photos", "namespace": "shop"},
        "spec": {
            "queues": {"request": {"name": "a"}, "response": {"name": "b"}},
            "storage": {"inputBucket": "in", "outputBucket": "out"},
            "model": {"uri": "s3://models/m"},
            "workers": {"max": max, "template": {"imageId": "ami-1", "instanceTypes": ["t3.small"]}},
            "scaling": {"target": target},
        },
    }));
    sim::fleet::Fleet::new("photos".to_owned(), fleet.unwrap())
}

#[test]
fn a_fleet_answers_all_keeps_its_limits_and_leaves_nothing() {
    let played = run(&burst(100), &fleet(r#"{"messagesPerWorker": 5}"#, 19)).unwrap();
    assert_eq!(played.answers.len(), 100);
    assert_eq!(played.bill.starts, 19);
    assert_eq!((played.moments.last().unwrap().running, played.ended_busy), (0, 0));
    let slowest = seconds(&played).into_iter().fold(0.0, f64::max);
    assert!((35.0..50.0).contains(&slowest), "a boot and five or six images: {slowest}");
}

#[test]
fn a_deadline_is_met_with_about_as_many_workers_as_it_takes() {
    let played = run(&burst(300), &fleet(r#"{"drainSeconds": 120}"#, 19)).unwrap();
    let slowest = seconds(&played).into_iter().fold(0.0, f64::max);
    assert!(slowest <= 125.0, "{slowest}");
    // The burst looks like the beginning of a stream for a while, so that more are launched than it alone needs: 4.
    let (workers, billed) = sim::bound::burst(300, 1.0, 120.0, 30.0).unwrap();
    assert_eq!(workers, 4);
    assert!((4..=10).contains(&played.bill.starts), "{}", played.bill.starts);
    assert!((billed * 0.95..billed * 2.5).contains(&played.bill.billed_seconds), "{} of {billed}", played.bill.billed_seconds);
}

#[test]
fn a_load_that_comes_and_goes_loses_nothing_though_workers_are_drained_with_work_in_hand() {
    let mut scenario =
        Scenario::new(Arrivals::Diurnal { low: 0.0, high: 8.0, period: Duration::from_secs(240), lasts: Duration::from_secs(1200) });
    scenario.settings.worker.service = Distribution::Exponential(1.0);
    let played = run(&scenario, &fleet(r#"{"messagesPerWorker": 5}"#, 19)).unwrap();
    assert!(played.bill.starts > 19, "workers left and came: {}", played.bill.starts);
    assert_eq!((played.answers.len(), played.killed_busy), (played.offsets.len(), 0));
}
