//! The script that runs at every boot, with programs of our own for the worker, for poweroff and for Python.

use std::process::Command;

use super::{binary, file, longest, user_data};

const SCRIPT: &str = "/var/lib/cloud/scripts/per-boot/classifierfleet-worker";

/// Runs the script where cloud-init does not: the worker is its child then. Answers with what it printed.
fn run(user_data: &str, worker: &str, python: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let programs = [("classifierfleet-worker", worker), ("poweroff", "echo off"), ("sleep", "echo slept $1"), ("python3", python)];
    for (name, script) in programs.into_iter().filter(|(_, script)| !script.is_empty()) {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&path).status().unwrap().success());
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let script = file(user_data, SCRIPT).content;
    let output = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).env_clear().env("PATH", path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_worker_gets_its_settings_whatever_characters_they_have() {
    let uri = "file:///it's $HOME `id` \"x\" \\ y é";
    let user_data = user_data(|fleet| uri.clone_into(&mut fleet.spec.model.uri));
    let printed = run(&user_data, "env", "");
    for line in [
        format!("CLASSIFIERFLEET_MODEL_URI={uri}"),
        "CLASSIFIERFLEET_FLEET=imagenet".to_owned(),
        "CLASSIFIERFLEET_NAMESPACE=default".to_owned(),
        "CLASSIFIERFLEET_REQUEST_QUEUE=imagenet-requests".to_owned(),
        "CLASSIFIERFLEET_OUTPUT_BUCKET=imagenet-out".to_owned(),
        "CLASSIFIERFLEET_VISIBILITY_TIMEOUT_SECONDS=60".to_owned(),
        "AWS_REGION=eu-central-1".to_owned(),
        "AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1".to_owned(),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is missing in:\n{printed}");
    }
    assert!(printed.lines().any(|line| line.starts_with("CLASSIFIERFLEET_REVISION=")), "{printed}");
}

#[test]
fn a_worker_that_fails_is_started_again_and_one_that_leaves_takes_the_machine_along() {
    let commands = "echo mine\n\n\tif true; then\n  echo 'indented:  yes'\n\tfi\n";
    let user_data = user_data(|fleet| fleet.spec.workers.template.user_data = Some(commands.to_owned()));
    let twice = "echo up; test -e failed || { touch failed; exit 1; }";
    assert_eq!(run(&user_data, twice, ""), "mine\nindented:  yes\nup\nslept 5\nup\noff\n");
}

#[test]
fn a_stock_image_gets_the_program_before_the_worker_starts() {
    let user_data = user_data(|fleet| fleet.spec.workers.template.binary = binary());
    // `python3 - URI SHA256 DESTINATION`, and the program to run on standard input.
    let python = "grep -c 'def signed' && echo \"$2 $3 $AWS_REGION\" && printf '#!/bin/sh\\necho up\\n' >\"$4\" && chmod +x \"$4\"";
    let binary = binary().unwrap();
    assert_eq!(run(&user_data, "", python), format!("1\n{} {} eu-central-1\nup\noff\n", binary.uri, binary.sha256));
}

#[test]
fn a_machine_without_the_program_is_left_to_the_operator_for_an_hour() {
    let user_data = user_data(|fleet| fleet.spec.workers.template.binary = binary());
    assert_eq!(run(&user_data, "echo up", "exit 1"), "slept 3600\noff\n");
}

#[test]
fn the_longest_user_data_fits_what_ec2_takes() {
    let without = user_data(|fleet| {
        fleet.spec.workers.template.user_data = Some("#".repeat(8192));
        fleet.spec.model.uri = format!("file:///{}", "x".repeat(1000));
    });
    for user_data in [without, longest()] {
        assert!(user_data.len() <= 16 * 1024, "{} bytes", user_data.len());
    }
}
