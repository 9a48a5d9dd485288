//! What workers are made from, and the script that they run.
#![allow(clippy::unwrap_used)]

use std::process::Command;

use crds::ClassifierFleet;
use operator::revision::Revision;

fn fleet(change: impl FnOnce(&mut ClassifierFleet)) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../examples/imagenet.yaml")).unwrap();
    fleet.metadata.namespace = Some("default".to_owned());
    fleet.metadata.uid = Some("6f0c2d3e-0000-4000-8000-000000000000".to_owned());
    change(&mut fleet);
    fleet
}

fn revision(change: impl FnOnce(&mut ClassifierFleet)) -> Revision {
    let fleet = fleet(change);
    let image = fleet.spec.workers.template.image_id.clone().unwrap_or_default();
    Revision::of(&fleet, &image, "cluster-1", "eu-central-1", &[("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())])
}

#[test]
fn only_what_workers_are_made_from_makes_a_new_revision() {
    let name = revision(|_| {}).name().to_owned();
    let same: [fn(&mut ClassifierFleet); 5] = [
        |fleet| fleet.spec.workers.warm_pool.idle_seconds = 5,
        |fleet| fleet.spec.workers.max = 50,
        |fleet| fleet.spec.workers.replicas = Some(3),
        |fleet| fleet.spec.gateway.replicas = 2,
        |fleet| fleet.spec.scaling.target.messages_per_worker = Some(1),
    ];
    for change in same {
        assert_eq!(revision(change).name(), name);
    }
    let other: [fn(&mut ClassifierFleet); 8] = [
        |fleet| fleet.spec.workers.template.volume_gib = Some(20),
        |fleet| fleet.spec.workers.warm_pool.max = 1,
        |fleet| fleet.spec.workers.idle_shutdown_seconds = 0,
        |fleet| fleet.spec.workers.template.image_id = Some("ami-00000000".to_owned()),
        |fleet| fleet.spec.workers.template.user_data = Some("true".to_owned()),
        |fleet| fleet.spec.workers.template.instance_types = vec!["c7i.large".to_owned()],
        |fleet| fleet.spec.model.uri = "file:///model".to_owned(),
        |fleet| fleet.spec.queues.visibility_timeout_seconds = 61,
    ];
    for change in other {
        assert_ne!(revision(change).name(), name);
    }
}

/// Runs the user data with programs of our own for the worker and for poweroff.
fn run(user_data: &str, worker: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, script) in [("classifierfleet-worker", worker), ("poweroff", "echo off"), ("sleep", "echo slept")] {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        assert!(Command::new("chmod").arg("+x").arg(&path).status().unwrap().success());
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").args(["-c", user_data]).current_dir(folder.path()).env_clear().env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_worker_gets_its_settings_whatever_characters_they_have() {
    let uri = "file:///it's $HOME `id` \"x\" \\ y";
    let revision = revision(|fleet| uri.clone_into(&mut fleet.spec.model.uri));
    let printed = run(&revision.version.user_data, "env");
    for line in [
        format!("CLASSIFIERFLEET_MODEL_URI={uri}"),
        format!("CLASSIFIERFLEET_REVISION={}", revision.name()),
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
}

#[test]
fn a_worker_that_fails_is_started_again_and_one_that_leaves_takes_the_machine_along() {
    let revision = revision(|fleet| fleet.spec.workers.template.user_data = Some("echo mine".to_owned()));
    let twice = "echo up; test -e failed || { touch failed; exit 1; }";
    assert_eq!(run(&revision.version.user_data, twice), "mine\nup\nslept\nup\noff\n");
}

#[test]
fn the_longest_user_data_fits_what_ec2_takes() {
    let revision = revision(|fleet| {
        fleet.spec.workers.template.user_data = Some("#".repeat(8192));
        fleet.spec.model.uri = format!("file:///{}", "x".repeat(1000));
    });
    assert!(revision.version.user_data.len() <= 16 * 1024);
}
