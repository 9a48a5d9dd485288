//! What makes the backlog, and one worker for so many of it: `target.messagesPerWorker`, `activationMessages`,
//! `countInFlight`, `countDelayed`, tolerance and the cap.

use serde_json::json;

use super::fleet::{at_once, condition, desired, is_current, limit, steps};
use super::stage::Stage;

pub async fn one_worker_for_so_many_messages_up_to_max(stage: &Stage) {
    let fleet = stage.fleet("messages").await;
    fleet.queue.send(11).await;
    fleet.apply(json!({"max": 4}), json!({"target": {"messagesPerWorker": 5}})).await;
    let seen = fleet.wants(3).await;
    assert!(steps(&seen).contains("Backlog 11 (visible 11, in flight 0, delayed 0) at 5 a worker asks for 3."), "{}", steps(&seen));
    assert_eq!(condition(&seen, "ScalingLimited"), "False DesiredWithinRange");
    assert_eq!(fleet.has_running(3).await, 3, "one launch for each worker wanted");
    // 16 messages for 3 workers are 7 % too many: by default a tenth is put up with.
    fleet.queue.send(5).await;
    let seen = fleet.has_decided_on(16).await;
    assert_eq!(desired(&seen), 3, "{}", steps(&seen));
    assert!(steps(&seen).contains("asks for 4; within the tolerance of 3, 3 are kept."), "{}", steps(&seen));
    fleet.patch(json!({"scaling": {"behavior": {"scaleUp": {"tolerance": 0.0}}}})).await;
    let seen = fleet.wants(4).await;
    assert_eq!(limit(&seen), None);
    // 30 messages deserve 6 workers, and there may be 4: that is said, though the number stays.
    fleet.queue.send(14).await;
    let seen = fleet.has_decided_on(30).await;
    assert!(steps(&seen).contains("asks for 6. workers.max makes that 4."), "{}", steps(&seen));
    assert_eq!((desired(&seen), limit(&seen)), (4, Some("workers.max")));
    assert_eq!(condition(&seen, "ScalingLimited"), "True TooManyReplicas");
    assert_eq!(fleet.has_running(4).await, 4);
    assert!(fleet.events().await.contains("TooManyReplicas"), "{:?}", fleet.events().await);
}

pub async fn nothing_is_launched_up_to_activation_messages(stage: &Stage) {
    let fleet = stage.fleet("activation").await;
    fleet.queue.send(5).await;
    let mut scaling = at_once();
    scaling["activationMessages"] = json!(5);
    fleet.apply(json!({"max": 10}), scaling).await;
    let seen = fleet.has_decided_on(5).await;
    assert_eq!(desired(&seen), 0, "{}", steps(&seen));
    assert!(steps(&seen).contains("not more than activationMessages 5 asks for 0."), "{}", steps(&seen));
    assert!(fleet.instances().await.is_empty());
    fleet.queue.send(1).await;
    fleet.wants(6).await;
    assert_eq!(fleet.has_running(6).await, 6);
    fleet.queue.take(1).await;
    let seen = fleet.has_decided_on(5).await;
    assert_eq!(desired(&seen), 0, "{}", steps(&seen));
    // Below it, workers.min of them run.
    fleet.patch(json!({"workers": {"min": 2}})).await;
    let seen = fleet.wants(2).await;
    assert_eq!(condition(&seen, "ScalingLimited"), "True TooFewReplicas");
}

pub async fn in_flight_and_delayed_messages_count_as_told(stage: &Stage) {
    let fleet = stage.fleet("counted").await;
    fleet.queue.send(4).await;
    fleet.queue.hold(2).await;
    fleet.queue.send_delayed(3).await;
    fleet.apply(json!({"max": 10}), at_once()).await;
    // What counts, and how many that makes. First as it is when nothing is said.
    let table = [(None, 4), (Some((true, true)), 7), (Some((false, false)), 2), (Some((false, true)), 5), (Some((true, false)), 4)];
    for (counts, backlog) in table {
        if let Some((in_flight, delayed)) = counts {
            fleet.patch(json!({"scaling": {"countInFlight": in_flight, "countDelayed": delayed}})).await;
        }
        let what = format!("{counts:?} count, which makes {backlog}");
        let seen = fleet.until(&what, |fleet| is_current(fleet) && desired(fleet) == i32::try_from(backlog).unwrap()).await;
        assert_eq!(seen.status.as_ref().unwrap().queue.as_ref().unwrap().backlog, backlog, "{what}");
        assert!(steps(&seen).contains("(visible 2, in flight 2, delayed 3)"), "{}", steps(&seen));
    }
}
