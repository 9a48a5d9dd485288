//! `scaling.behavior`: policies, windows, directions that are forbidden; and that none of it delays the first worker.

use serde_json::{Value, json};

use super::fleet::{Fleet, condition, desired, limit, steps};
use super::stage::Stage;

/// Before 8 messages, a worker for each.
async fn rising<'a>(stage: &'a Stage, name: &'static str, scale_up: Value) -> Fleet<'a> {
    let fleet = stage.fleet(name).await;
    fleet.queue.send(8).await;
    fleet.apply(json!({"max": 10}), json!({"target": {"messagesPerWorker": 1}, "behavior": {"scaleUp": scale_up}})).await;
    fleet
}

pub async fn a_rise_keeps_to_its_policies(stage: &Stage) {
    let policies = json!([{"type": "Pods", "value": 2, "periodSeconds": 1800}]);
    let fleet = rising(stage, "pods", json!({"policies": policies})).await;
    let seen = fleet.once("it wants 2", |fleet| desired(fleet) == 2).await;
    assert!(steps(&seen).contains("scaling.behavior.scaleUp lets it change from 0 to 2 for now, not to 8."), "{}", steps(&seen));
    assert_eq!(limit(&seen), Some("scaling.behavior.scaleUp"));
    assert_eq!(condition(&seen, "ScalingLimited"), "True ScaleUpLimit");
    // More work is no reason to rise faster.
    fleet.queue.send(1).await;
    let seen = fleet.has_decided_on(9).await;
    assert_eq!(desired(&seen), 2, "{}", steps(&seen));
    fleet.patch(json!({"scaling": {"behavior": {"scaleUp": {"policies": null}}}})).await;
    fleet.wants(9).await;
}

pub async fn a_rise_keeps_to_the_policy_that_is_selected(stage: &Stage) {
    let policies = json!([{"type": "Pods", "value": 1, "periodSeconds": 1}, {"type": "Percent", "value": 100, "periodSeconds": 1}]);
    let (most, least) = tokio::join!(
        rising(stage, "most", json!({"policies": policies, "selectPolicy": "Max"})),
        rising(stage, "least", json!({"policies": policies, "selectPolicy": "Min"})),
    );
    tokio::join!(most.wants(8), least.wants(8));
    // One more or twice as many, whichever is more; and whichever is less.
    assert_eq!(most.wanted(), [1, 2, 4, 8]);
    assert_eq!(least.wanted(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

pub async fn the_first_worker_is_never_delayed(stage: &Stage) {
    let (forbidden, windowed) = tokio::join!(
        rising(stage, "forbidden", json!({"selectPolicy": "Disabled"})),
        rising(stage, "windowed", json!({"stabilizationWindowSeconds": 3600})),
    );
    let sentences = ["scaling.behavior.scaleUp lets it change from 0 to 0", "The scale-up window keeps 0: as few as 0 were asked for"];
    for (fleet, sentence) in [&forbidden, &windowed].into_iter().zip(sentences) {
        let said = |fleet: &crds::ClassifierFleet| {
            steps(fleet).contains(sentence) && steps(fleet).contains("The first worker is never delayed: 1.")
        };
        fleet.wants(1).await;
        assert!(fleet.ever(said), "{}: {sentence}", fleet.name);
        // The second is.
        fleet.queue.send(1).await;
        let seen = fleet.has_decided_on(9).await;
        assert_eq!(desired(&seen), 1, "{}", steps(&seen));
        assert_eq!(fleet.has_running(1).await, 1);
    }
    let seen = forbidden.wants(1).await;
    assert_eq!(condition(&seen, "ScalingLimited"), "True ScaleUpLimit");
}

pub async fn a_fall_keeps_to_its_window(stage: &Stage) {
    let fleet = idle_with_four(stage, "falling").await;
    // A minute, when nothing is said.
    let seen = fleet.has_decided_on(0).await;
    assert_eq!(desired(&seen), 4, "{}", steps(&seen));
    assert!(steps(&seen).contains("The scale-down window keeps 4: as many as 4 were asked for in the last 60 s."), "{}", steps(&seen));
    let rules = json!({"stabilizationWindowSeconds": 0, "selectPolicy": "Disabled"});
    fleet.patch(json!({"scaling": {"behavior": {"scaleDown": rules}}})).await;
    let seen = fleet.until("a fall is forbidden", |fleet| condition(fleet, "ScalingLimited") == "True ScaleDownLimit").await;
    assert_eq!((desired(&seen), limit(&seen)), (4, Some("scaling.behavior.scaleDown")));
    fleet.patch(json!({"scaling": {"behavior": {"scaleDown": {"selectPolicy": "Max"}}}})).await;
    fleet.wants(0).await;
    assert_eq!(fleet.wanted(), [4, 0]);
}

pub async fn a_fall_keeps_to_the_policy_that_is_selected(stage: &Stage) {
    let (most, least) = tokio::join!(idle_with_four(stage, "falling-most"), idle_with_four(stage, "falling-least"));
    let policies = json!([{"type": "Pods", "value": 1, "periodSeconds": 1}, {"type": "Percent", "value": 50, "periodSeconds": 1}]);
    for (fleet, select) in [(&most, "Max"), (&least, "Min")] {
        let rules = json!({"stabilizationWindowSeconds": 0, "policies": policies, "selectPolicy": select});
        fleet.patch(json!({"scaling": {"behavior": {"scaleDown": rules}}})).await;
    }
    tokio::join!(most.wants(0), least.wants(0));
    // One less or half as many, whichever is less; and whichever is more.
    assert_eq!(most.wanted(), [4, 2, 1, 0]);
    assert_eq!(least.wanted(), [4, 3, 2, 1, 0]);
    let limited = |fleet: &crds::ClassifierFleet| condition(fleet, "ScalingLimited") == "True ScaleDownLimit";
    assert!(most.ever(limited) && least.ever(limited));
}

/// Of four workers, whose messages are all done; its scale-down window is the default one.
async fn idle_with_four<'a>(stage: &'a Stage, name: &'static str) -> Fleet<'a> {
    let fleet = stage.fleet(name).await;
    fleet.queue.send(4).await;
    fleet.apply(json!({"max": 10}), json!({"target": {"messagesPerWorker": 1}})).await;
    fleet.wants(4).await;
    fleet.queue.take(4).await;
    fleet
}
