//! What workers are made from.
#![allow(clippy::unwrap_used)]

use crds::{Binary, ClassifierFleet, Tracing};
use operator::revision::Revision;

fn fleet(change: impl FnOnce(&mut ClassifierFleet)) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../examples/imagenet.yaml")).unwrap();
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
    let other: [fn(&mut ClassifierFleet); 10] = [
        |fleet| fleet.spec.workers.template.volume_gib = Some(20),
        |fleet| fleet.spec.workers.warm_pool.max = 1,
        |fleet| fleet.spec.workers.idle_shutdown_seconds = 0,
        |fleet| fleet.spec.workers.template.image_id = Some("ami-00000000".to_owned()),
        |fleet| fleet.spec.workers.template.user_data = Some("true".to_owned()),
        |fleet| fleet.spec.workers.template.binary = Some(Binary { uri: "s3://programs/worker".to_owned(), sha256: "0".repeat(64) }),
        |fleet| fleet.spec.workers.template.instance_types = vec!["c7i.large".to_owned()],
        |fleet| fleet.spec.model.uri = "file:///model".to_owned(),
        |fleet| fleet.spec.queues.visibility_timeout_seconds = 61,
        |fleet| fleet.spec.tracing = Some(Tracing { otlp_endpoint: "http://collector:4318".to_owned(), sampling_ratio: 0.5 }),
    ];
    for change in other {
        assert_ne!(revision(change).name(), name);
    }
}
