//! systemd's own opinion of the unit, as it is in the user data.

use std::process::{Command, Output};

use super::{file, has, user_data};

fn analyze(arguments: &[&str]) -> Option<Output> {
    if !has("systemd-analyze") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classifierfleet-worker.service");
    std::fs::write(&path, file(&user_data(|_| {}), "/etc/systemd/system/classifierfleet-worker.service").content).unwrap();
    Some(Command::new("systemd-analyze").args(arguments).arg(&path).output().unwrap())
}

#[test]
fn systemd_understands_all_of_the_unit() {
    let Some(output) = analyze(&["verify"]) else { return };
    let said = String::from_utf8(output.stderr).unwrap();
    // Those two are of systemd 254.
    let newer = |line: &str| line.contains("'RestartSteps'") || line.contains("'RestartMaxDelaySec'");
    assert!(output.status.success() && said.lines().all(newer), "{said}");
}

#[test]
fn the_worker_is_exposed_no_more_than_it_must() {
    // Tenths: at most 2.0 of 10.
    let Some(output) = analyze(&["security", "--offline=true", "--threshold=20"]) else { return };
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
