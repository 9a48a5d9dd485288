//! cloud-init's own opinion, and the files that it makes.

use std::process::Command;

use super::{binary, file, has, longest, user_data};

#[test]
fn cloud_init_finds_nothing_wrong() {
    if !has("cloud-init") {
        return;
    }
    let stock = user_data(|fleet| fleet.spec.workers.template.binary = binary());
    for user_data in [user_data(|_| {}), stock, longest()] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("user-data");
        std::fs::write(&path, &user_data).unwrap();
        let output = Command::new("cloud-init").args(["schema", "--config-file"]).arg(&path).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && said.to_lowercase().contains("valid"), "{said}\n{user_data}");
    }
}

#[test]
fn the_unit_is_for_all_to_read_and_the_script_for_root_to_run() {
    let user_data = user_data(|fleet| fleet.spec.workers.template.binary = binary());
    let unit = file(&user_data, "/etc/systemd/system/classifierfleet-worker.service");
    assert!(unit.permissions == "0644" && unit.content.starts_with("[Unit]\n") && unit.content.ends_with('\n'), "{}", unit.content);
    let script = file(&user_data, "/var/lib/cloud/scripts/per-boot/classifierfleet-worker");
    assert!(script.permissions == "0700" && script.content.starts_with("#!/bin/sh\n"), "{}", script.content);
}
