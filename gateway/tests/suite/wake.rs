//! How the operator hears of uploads: the program itself, with its environment as the operator writes it, and what it
//! says to the Kubernetes API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::atomic::Ordering;

use crate::support::fake::Fake;
use crate::support::process::{OWNER, Process};
use crate::support::until;

#[tokio::test]
async fn the_operator_hears_of_an_upload_before_its_image_is_stored_and_again_when_nothing_waits() {
    let fake = Fake::start().await;
    let gateway = Process::start(&fake, &[]).await;
    fake.holds_puts.send_replace(true);
    let upload = tokio::spawn(gateway.upload());
    until("the wake", async || !fake.patches().is_empty()).await;
    assert_eq!(*fake.stored.lock().unwrap(), 0, "S3 does not have the image yet");
    assert_first_lease(&fake);

    fake.holds_puts.send_replace(false);
    until("the image in S3", async || *fake.stored.lock().unwrap() == 1).await;
    upload.abort();
    until("the end of waiting", async || fake.told() == ["1", "0"]).await;
    let last = fake.patches().pop().unwrap().lease;
    assert!(last["metadata"]["annotations"].get("classifierfleet.dev/oldest").is_none(), "{last}");
    assert_eq!(gateway.metric("wake_failures_total").await, 0);
    assert!(gateway.metric("wake_writes_total").await >= 2);
}

fn assert_first_lease(fake: &Fake) {
    let patch = fake.patches().remove(0);
    assert_eq!(patch.path, "/apis/coordination.k8s.io/v1/namespaces/default/leases/imagenet-gateway-0");
    assert!(patch.query.contains("force=true") && patch.query.contains("fieldManager=classifierfleet-gateway"), "{}", patch.query);
    assert_eq!(patch.content_type, "application/apply-patch+yaml");
    let (mut lease, owner) = (patch.lease, serde_json::from_str::<serde_json::Value>(OWNER).unwrap());
    let oldest: jiff::Timestamp = lease["metadata"]["annotations"]["classifierfleet.dev/oldest"].take().as_str().unwrap().parse().unwrap();
    let renewed: jiff::Timestamp = lease["spec"]["renewTime"].take().as_str().unwrap().parse().unwrap();
    assert!(oldest <= renewed, "{oldest} {renewed}");
    let expected = serde_json::json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": "imagenet-gateway-0",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "classifierfleet-gateway", "classifierfleet.dev/fleet": "imagenet"},
            "annotations": {"classifierfleet.dev/waiting": "1", "classifierfleet.dev/oldest": null},
            "ownerReferences": [owner],
        },
        "spec": {"holderIdentity": "pod-0", "leaseDurationSeconds": 15, "renewTime": null},
    });
    assert_eq!(lease, expected);
}

#[tokio::test]
async fn an_api_server_that_refuses_harms_no_upload_and_is_told_once_it_does_not() {
    let fake = Fake::start().await;
    fake.refuses.store(true, Ordering::Relaxed);
    let gateway = Process::start(&fake, &[]).await;
    let upload = tokio::spawn(gateway.upload());
    until("a refused wake", async || gateway.metric("wake_failures_total").await > 0).await;
    until("the image in S3", async || *fake.stored.lock().unwrap() == 1).await;
    assert!(!upload.is_finished(), "it waits for its result");

    fake.refuses.store(false, Ordering::Relaxed);
    until("the wake", async || fake.told() == ["1"]).await;
    upload.abort();
}

#[tokio::test]
async fn a_burst_is_told_though_the_first_wake_knew_of_one_image() {
    let fake = Fake::start().await;
    let gateway = Process::start(&fake, &[]).await;
    let uploads: Vec<_> = (0..30).map(|_| tokio::spawn(gateway.upload())).collect();
    until("the whole burst", async || fake.told().last().is_some_and(|told| told == "30")).await;
    uploads.iter().for_each(|upload| upload.abort());
    until("the end of waiting", async || fake.told().last().is_some_and(|told| told == "0")).await;
    let told: Vec<u32> = fake.told().iter().map(|told| told.parse().unwrap()).collect();
    assert!(told[..told.len() - 1].is_sorted(), "it tells of more only: {told:?}");
}
