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
