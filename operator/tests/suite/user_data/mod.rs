//! What an instance does with its user data: cloud-init reads it, a shell runs its script, systemd its unit.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cloud_init;
mod script;
mod systemd;

use std::io::Write as _;
use std::process::Command;

use crds::{Binary, ClassifierFleet};
use operator::revision::Revision;
use serde::Deserialize;

/// As much of a cloud-config as the operator writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloudConfig {
    write_files: Vec<File>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    permissions: String,
    content: String,
}

fn user_data(change: impl FnOnce(&mut ClassifierFleet)) -> String {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../../examples/imagenet.yaml")).unwrap();
    fleet.metadata.namespace = Some("default".to_owned());
    fleet.metadata.uid = Some("6f0c2d3e-0000-4000-8000-000000000000".to_owned());
    change(&mut fleet);
    let endpoints = [("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())];
    Revision::of(&fleet, "ami-0123456789abcdef0", "cluster-1", "eu-central-1", &endpoints).version.user_data
}

/// The file that cloud-init makes at `path`.
fn file(user_data: &str, path: &str) -> File {
    let config: CloudConfig = serde_saphyr::from_str(user_data).unwrap();
    config.write_files.into_iter().find(|file| file.path == path).unwrap()
}

fn binary() -> Option<Binary> {
    Some(Binary { uri: "s3://imagenet-models/programs/classifierfleet-worker-x86_64".to_owned(), sha256: "0123456789abcdef".repeat(4) })
}

/// The largest that admission lets through.
fn longest() -> String {
    user_data(|fleet| {
        fleet.spec.workers.template.user_data = Some("#".repeat(6144));
        fleet.spec.workers.template.binary = binary();
        fleet.spec.model.uri = format!("file:///{}", "x".repeat(1000));
    })
}

/// Whether `program` can be run here; says so when not.
fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        // Not a macro that prints: the tests' runner would keep it to itself.
        let _ = writeln!(std::io::stderr(), "skipped: {program} is not on the PATH");
    }
    found
}
