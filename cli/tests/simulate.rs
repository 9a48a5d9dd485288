//! `simulate` as a program: what it says of a load, what it refuses, what it draws.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::EXAMPLE;
use common::program::{run, said};
use serde_json::Value;

const CONSTANT: [&str; 4] = ["--boot-seconds", "30", "--service-seconds", "1"];

fn simulated(more: &[&str]) -> (i32, String, String) {
    let arguments = [&["simulate", "-f", "-"], CONSTANT.as_slice(), more].concat();
    said(&run(&arguments, EXAMPLE))
}

fn json(more: &[&str]) -> Value {
    let (code, out, err) = simulated(&[more, &["-o", "json"]].concat());
    assert!(code == 0 || err.is_empty(), "{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn a_burst_is_answered_by_as_many_workers_as_it_asks_for() {
    let report = json(&["--burst", "40", "--usd-per-hour", "0.0208"]);
    let run = &report["runs"][0];
    assert_eq!((run["policy"].as_str(), run["starts"].as_u64(), run["unanswered"].as_u64()), (Some("imagenet"), Some(4), Some(0)));
    let (slowest, billed) = (run["max"].as_f64().unwrap(), run["billedSeconds"].as_f64().unwrap());
    assert!((38.0..50.0).contains(&slowest), "a boot and ten images: {slowest}");
    assert!((240.0..300.0).contains(&billed), "a minute for each: {billed}");
    assert!((run["usd"].as_f64().unwrap() - billed * 0.0208 / 3600.0).abs() < 1e-9);
    let bound = run["boundSeconds"].as_f64().unwrap();
    assert!(bound >= 40.0 && bound <= billed, "{bound}");
}

#[test]
fn the_same_seed_says_the_same() {
    let said = |seed: &str| simulated(&["--poisson", "1/s", "--for", "5m", "--seed", seed]).1;
    assert_eq!(said("3"), said("3"));
    assert_ne!(said("3"), said("4"));
}

#[test]
fn others_play_beside_the_fleet() {
    let (code, text, _) = simulated(&["--burst", "30", "--policy", "keda,knative"]);
    assert_eq!(code, 0);
    let policies: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(["imagenet", "keda", "knative"].iter().all(|policy| policies.contains(policy)), "{text}");
}

#[test]
fn a_sweep_finds_the_cheapest_that_meets_what_must_be_met() {
    let swept = |slo: &str| json(&["--burst", "100", "--sweep", "workers.max=1..6", "--slo", slo]);
    let loose = swept("p99=150s");
    assert_eq!(loose["runs"].as_array().unwrap().len(), 6);
    assert_eq!(loose["cheapest"], "workers.max=1", "one worker does 100 images within 135 s, and boots once");
    let strict = swept("p99=60s");
    assert_eq!(strict["cheapest"], "workers.max=4", "30 s are left for 100 images");
    let (code, text, _) = simulated(&["--burst", "100", "--sweep", "workers.max=1..2", "--slo", "p99=40s"]);
    assert_eq!(code, 1, "{text}");
}

#[test]
fn ec2_has_room_for_as_many_as_is_said() {
    let run = &json(&["--burst", "100", "--capacity", "t3.small=2"])["runs"][0];
    assert_eq!((run["most"].as_u64(), run["unanswered"].as_u64()), (Some(2), Some(0)), "{run}");
}

#[test]
fn spot_instances_that_are_taken_back_lose_no_image() {
    let spot = EXAMPLE.replacen("instanceTypes:", "capacity: {spot: true}\n      instanceTypes:", 1);
    assert_ne!(spot, EXAMPLE);
    let run = |more: &[&str]| {
        let load = ["simulate", "-f", "-", "--poisson", "1/s", "--for", "20m", "-o", "json"];
        let (code, out, err) = said(&run(&[load.as_slice(), &CONSTANT, more].concat(), &spot));
        assert_eq!(code, 0, "{err}");
        serde_json::from_str::<Value>(&out).unwrap()["runs"][0].take()
    };
    let (kept, taken) = (run(&[]), run(&["--spot-life-seconds", "exponential:200"]));
    assert_eq!((taken["unanswered"].as_u64(), taken["killedBusy"].as_u64()), (Some(0), Some(0)), "{taken}");
    assert!(taken["starts"].as_u64() > kept["starts"].as_u64(), "those taken back are replaced: {taken} {kept}");
}

#[test]
fn what_cannot_be_played_is_refused_with_what_to_do() {
    for (more, expected) in [
        (["--trace", "/nowhere.csv", "--seed", "1"], "the trace /nowhere.csv cannot be read"),
        (["--burst", "3", "--sweep", "workers.most=1..3"], "has no number there"),
        (["--burst", "3", "--sweep", "workers.max=-1..3"], "the API server would refuse workers.max=-1"),
        (["--burst", "3", "--chart", "chart.gif"], "ends with .svg or .png"),
        (["--poisson", "0/s", "--seed", "1"], "no image is uploaded"),
        (["--burst", "3", "--boot-seconds", "soon"], "is no distribution of seconds"),
        (["--seed", "1", "--service-seconds", "2"], "--burst"),
    ] {
        let more: Vec<&str> = more.to_vec();
        let arguments = [&["simulate", "-f", "-"], more.as_slice()].concat();
        let (code, _, err) = said(&run(&arguments, EXAMPLE));
        assert!(code != 0 && err.contains(expected), "{more:?}: {err}");
    }
}

#[test]
fn charts_are_drawn_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    for name in ["a.svg", "b.svg"] {
        assert_eq!(simulated(&["--burst", "20", "--chart", &file(name)]).0, 0);
    }
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let svg = String::from_utf8(read("a.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n") && svg.matches("<polyline").count() == 5, "{svg}");
    assert_eq!(read("a.svg"), read("b.svg"));
    let (code, _, err) = simulated(&["--burst", "20", "--chart", &file("a.png")]);
    // A machine without fonts says so rather than draw a chart without words.
    assert!((code == 0 && read("a.png").starts_with(b"\x89PNG")) || err.contains("no font is installed"), "{err}");
}
