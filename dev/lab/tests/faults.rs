//! The lab's quick set: the first seeds keep all promises, and a run can be repeated. Runs are processes, as `cargo xtask lab` has them.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).output().unwrap()
}

#[test]
fn a_run_is_the_same_each_time() {
    for seed in ["0", "1", "2"] {
        let (one, other) = (lab(&["--seed", seed]), lab(&["--seed", seed]));
        assert_eq!(String::from_utf8_lossy(&one.stdout), String::from_utf8_lossy(&other.stdout), "seed {seed}");
        assert!(one.stderr.len() > 10_000 && one.stderr == other.stderr, "the calls of seed {seed}");
    }
}

#[test]
fn no_fault_breaks_a_promise() {
    let Output { status, stdout, stderr } = lab(&["--seeds", "100", "--no-shrink"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "cargo xtask lab --seed N shows each call of the seeds that fail:\n{stdout}{stderr}");
    assert!(stdout.contains(r#""seeds":100"#), "{stdout}");
}

/// Each of these scripts once broke a promise.
#[test]
fn what_was_mended_stays_so() {
    for entry in std::fs::read_dir("scripts").unwrap() {
        let path = entry.unwrap().path();
        let output = lab(&["--script", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stdout));
    }
}

/// With a thousand fleets it would take minutes to look at all that each of them needs, before the first launch.
#[test]
fn an_operator_that_begins_anew_launches_before_it_looks_at_what_was_well() {
    let script = std::env::temp_dir().join(format!("classifierfleet-lab-{}.json", std::process::id()));
    let fleet = r#"{"min":0,"max":4,"messagesPerWorker":4,"warm":0,"spot":false,"surge":1,"drainTimeout":30,"window":10,"types":1,"sampleSeconds":2}"#;
    let crash = r#"{"at":100.0,"fault":"IntermediateState","call":1,"when":"Before","down":20}"#;
    let told = format!(
        r#"{{"seed":1,"fleet":{fleet},"describeLag":1,"uploads":[[99.0,4],[200.0,4]],"faults":[{crash}],"lastUploads":[0,60],"faultsOfDeletion":[]}}"#
    );
    std::fs::write(&script, told).unwrap();
    let output = lab(&["--script", script.to_str().unwrap()]);
    std::fs::remove_file(script).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let calls = String::from_utf8_lossy(&output.stderr);
    let (first, second) = calls.split_once("an operator is dead").unwrap();
    assert!(first.contains("DescribeLaunchTemplateVersions"), "{calls}");
    let (before, after) = second.split_once("Ec2 RunInstances").unwrap();
    assert!(before.contains("Sqs GetQueueAttributes") && !before.contains("ListQueueTags") && !before.contains(" S3 "), "{calls}");
    assert!(after.contains("Sqs ListQueueTags") && after.contains(" S3 "), "{calls}");
    // At EC2's pace, a thousand of these take a minute: that waits until the next look.
    assert!(!second.contains("DescribeLaunchTemplateVersions"), "{calls}");
}

/// What `cargo xtask lab --mutants` puts into a copy of the sources.
#[test]
fn deliberate_bugs_fit_the_sources() {
    let mut patches = 0;
    for entry in std::fs::read_dir("mutants").unwrap() {
        let patch = entry.unwrap().path().canonicalize().unwrap();
        let output = Command::new("git").current_dir("../..").args(["apply", "--check"]).arg(patch).output().unwrap();
        assert!(output.status.success(), "make it anew: {}", String::from_utf8_lossy(&output.stderr));
        patches += 1;
    }
    assert_eq!(patches, 6);
}
