//! Whoever drives `workers.replicas` through the scale subresource: `kubectl scale`, other autoscalers, a real
//! HorizontalPodAutoscaler.

use k8s_openapi::api::autoscaling::v1::Scale;
use kube::api::PostParams;
use serde_json::json;

use super::fleet::{Fleet, at_once, condition, desired, is_current, limit, steps};
use super::stage::Stage;
use super::support::until;

/// What the scale subresource says.
async fn scale(fleet: &Fleet<'_>, path: &str) -> String {
    let (output, namespace) = (format!("jsonpath={path}"), fleet.namespace);
    let args = ["get", "cfleet", fleet.name, "-n", namespace, "--subresource=scale", "-o", &output];
    fleet.stage.stack.kubectl(&args).await.unwrap()
}

pub async fn kubectl_scale_pins_the_number_between_min_and_max(stage: &Stage) {
    let fleet = stage.fleet("by-hand").await;
    fleet.apply(json!({"min": 1, "max": 4}), at_once()).await;
    let seen = fleet.wants(1).await;
    assert_eq!(condition(&seen, "ScalingLimited"), "True TooFewReplicas");
    // The first time, for without a number there is none that kubectl, or any autoscaler, could read.
    stage.stack.kubectl(&["scale", "cfleet", "by-hand", "-n", fleet.namespace, "--replicas=2"]).await.unwrap();
    fleet.wants(2).await;
    let by_hand = async |was: u32, replicas: u32| {
        let (was, replicas) = (format!("--current-replicas={was}"), format!("--replicas={replicas}"));
        stage.stack.kubectl(&["scale", "cfleet", "by-hand", "-n", fleet.namespace, &was, &replicas]).await
    };
    by_hand(2, 3).await.unwrap();
    let seen = fleet.wants(3).await;
    assert!(steps(&seen).contains("spec.workers.replicas asks for 3 workers."), "{}", steps(&seen));
    assert_eq!(condition(&seen, "ScalingActive"), "False ReplicasSet");
    let error = by_hand(2, 4).await.expect_err("it is 3, not 2").to_string();
    assert!(error.contains("Expected replicas to be 2, was 3"), "{error}");
    assert_eq!(fleet.has_running(3).await, 3);
    fleet.until("all three are ready", |fleet| fleet.status.as_ref().is_some_and(|status| status.workers.ready == 3)).await;
    assert_eq!((scale(&fleet, "{.spec.replicas}").await, scale(&fleet, "{.status.replicas}").await), ("3".to_owned(), "3".to_owned()));
    // Whatever waits.
    fleet.queue.send(4).await;
    let seen = fleet.has_decided_on(4).await;
    assert_eq!(desired(&seen), 3, "{}", steps(&seen));
    for (was, replicas, wanted, reason) in [(3, 9, 4, "TooManyReplicas"), (9, 0, 1, "TooFewReplicas")] {
        by_hand(was, replicas).await.unwrap();
        let seen = fleet.wants(wanted).await;
        assert_eq!(condition(&seen, "ScalingLimited"), format!("True {reason}"));
    }
    // Without it the queue decides again.
    fleet.patch(json!({"workers": {"replicas": null}})).await;
    let seen = fleet.wants(4).await;
    assert_eq!(condition(&seen, "ScalingActive"), "True FollowsQueue");
}

pub async fn a_client_of_the_scale_subresource_drives_it(stage: &Stage) {
    let fleet = stage.fleet("by-client").await;
    fleet.apply(json!({"max": 5, "replicas": 1}), at_once()).await;
    fleet.until("it is there", is_current).await;
    for replicas in [2, 3, 0] {
        let written = write_scale(&fleet, replicas).await;
        let seen = fleet.wants(replicas).await;
        assert_eq!(seen.spec.workers.replicas, Some(replicas));
        let stale = fleet.api().replace_scale(fleet.name, &PostParams::default(), &written).await;
        let stale = stale.expect_err("it was read before the last write").to_string();
        assert!(stale.contains("the object has been modified"), "{stale}");
    }
}

/// It reads how many there are, and writes how many there should be onto what it read; if that is no longer so, it reads again.
/// Returns what it wrote.
async fn write_scale(fleet: &Fleet<'_>, replicas: i32) -> Scale {
    loop {
        let mut scale: Scale = fleet.api().get_scale(fleet.name).await.unwrap();
        scale.spec.get_or_insert_default().replicas = Some(replicas);
        match fleet.api().replace_scale(fleet.name, &PostParams::default(), &scale).await {
            Ok(_) => return scale,
            Err(kube::Error::Api(refused)) if refused.code == 409 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The metric needs a metrics server, which is not here; the limits of an HPA need none.
pub async fn a_horizontal_pod_autoscaler_drives_it(stage: &Stage) {
    let fleet = stage.fleet("by-hpa").await;
    fleet.apply(json!({"max": 5, "replicas": 1}), at_once()).await;
    fleet.wants(1).await;
    let hpa = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": fleet.name, "namespace": fleet.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "name": fleet.name},
            "minReplicas": 3, "maxReplicas": 4,
            "metrics": [{"type": "External", "external": {"metric": {"name": "queue_depth"}, "target": {"type": "AverageValue", "averageValue": "5"}}}],
        },
    });
    let file = stage.stack.dir().join("hpa.json");
    std::fs::write(&file, hpa.to_string()).unwrap();
    stage.stack.kubectl(&["apply", "-f", &file.display().to_string()]).await.unwrap();
    let seen = fleet.wants(3).await;
    assert_eq!((seen.spec.workers.replicas, limit(&seen)), (Some(3), None));
    // Without a selector in the scale subresource it would not get that far.
    until("the HPA asks for its metric", async || hpa_says(&fleet).await == "FailedGetExternalMetric").await;
}

/// Why an HPA follows no metric.
async fn hpa_says(fleet: &Fleet<'_>) -> String {
    let output = r#"jsonpath={.status.conditions[?(@.type=="ScalingActive")].reason}"#;
    fleet.stage.stack.kubectl(&["get", "hpa", fleet.name, "-n", fleet.namespace, "-o", output]).await.unwrap()
}
