//! `target.drainSeconds`: as few workers as do each job in time, by their rates and boot times.

use crds::{ClassifierFleet, DecisionInputs};
use serde_json::{Value, json};

use super::fleet::{Fleet, condition, desired, limit, steps, visible};
use super::stage::Stage;

/// Jobs a second that each simulated guest says to do.
const RATE: f64 = 30.0;

fn within(seconds: u32) -> Value {
    json!({"target": {"drainSeconds": seconds}, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}})
}

fn inputs(fleet: &ClassifierFleet) -> Option<&DecisionInputs> {
    Some(&fleet.status.as_ref()?.decision.as_ref()?.inputs)
}

pub async fn as_few_as_meet_it_by_what_is_assumed(stage: &Stage) {
    let fleet = stage.fleet("assumed").await;
    fleet.queue.send(60).await;
    fleet.apply(json!({"max": 10}), within(60)).await;
    // Of a worker that nobody measured a boot of 30 s is assumed and a job a second: each does 30 of the 60 jobs in 60 s.
    let seen = fleet.once("it wants 2", |fleet| desired(fleet) == 2).await;
    assert!(steps(&seen).contains("at 1.0 jobs/s a worker (assumed, none was measured yet), 30 s to boot"), "{}", steps(&seen));
    assert_eq!(condition(&seen, "ScalingLimited"), "False DesiredWithinRange");
    // They turn out to boot in 3 s and to do 30 a second: one of them is enough.
    let seen = fleet.wants(1).await;
    let status = seen.status.as_ref().unwrap();
    assert_eq!(status.jobs_per_second_per_worker, Some(RATE));
    let boot = status.boot_seconds.and_then(|boots| boots.cold).unwrap();
    // The worker tells the second in which it was ready, EC2 the moment of the launch.
    assert!((2.0..10.0).contains(&boot), "{boot} s to boot");
    assert_eq!(fleet.wanted(), [2, 1]);
}

/// A fleet of one worker that was measured.
async fn measured<'a>(stage: &'a Stage, name: &'static str, seconds: u32) -> Fleet<'a> {
    let fleet = stage.fleet(name).await;
    fleet.apply(json!({"min": 1, "max": 20}), within(seconds)).await;
    fleet.until("its worker was measured", |fleet| inputs(fleet).is_some_and(|inputs| inputs.measured && desired(fleet) == 1)).await;
    fleet
}

pub async fn as_few_as_meet_it_by_what_was_measured(stage: &Stage) {
    let fleet = measured(stage, "measured", 10).await;
    // Paused until all are there, so that one decision is about all of them.
    fleet.annotate("classifierfleet.dev/paused", Some("true")).await;
    fleet.queue.send(700).await;
    fleet.has_decided_on(700).await;
    fleet.annotate("classifierfleet.dev/paused", None).await;
    let is_decided = |fleet: &ClassifierFleet| limit(fleet).is_none() && desired(fleet) > 1;
    let seen = fleet.once("it wants more", is_decided).await;
    // By hand: the one that is ready does 300 jobs in 10 s; each new one as many as it can from its boot on.
    let first = inputs(&seen).unwrap();
    assert_eq!((first.workers[0].count, first.workers[0].ready_in_seconds), (1, 0.0), "{first:?}");
    let each = RATE * (10.0 - first.boot_cold_seconds);
    assert_eq!(f64::from(desired(&seen)), 1.0 + ((700.0 - 10.0 * RATE) / each).ceil(), "{}", steps(&seen));
    assert_eq!(condition(&seen, "ScalingLimited"), "False DesiredWithinRange");
}

pub async fn one_that_cannot_be_met_is_met_as_soon_as_can_be(stage: &Stage) {
    let fleet = stage.fleet("late").await;
    fleet.queue.send(3).await;
    fleet.apply(json!({"max": 10}), within(5)).await;
    // 30 s of boot are more than 5 s: a worker for each job, and it is said.
    let seen = fleet.once("it wants 3", |fleet| desired(fleet) == 3).await;
    assert!(steps(&seen).contains("which cannot be met"), "{}", steps(&seen));
    assert_eq!(limit(&seen), Some("scaling.target.drainSeconds"));
    assert_eq!(condition(&seen, "ScalingLimited"), "True DeadlineCannotBeMet");
    assert!(fleet.events().await.contains("DeadlineCannotBeMet"), "{:?}", fleet.events().await);
    // Once they are ready it is met.
    let seen = fleet.until("it is met", |fleet| condition(fleet, "ScalingLimited").starts_with("False")).await;
    assert!(inputs(&seen).unwrap().measured);
}

pub async fn a_worker_that_would_come_too_late_is_not_launched(stage: &Stage) {
    // A second is too short for 31 jobs at 30 a second. A further worker would boot longer than the one that is there needs.
    let fleet = measured(stage, "too-late", 1).await;
    fleet.queue.send(31).await;
    let is_late = |fleet: &ClassifierFleet| condition(fleet, "ScalingLimited") == "True DeadlineCannotBeMet";
    let seen = fleet.once("it says that it is late", is_late).await;
    assert_eq!((desired(&seen), visible(&seen)), (1, Some(31)), "{}", steps(&seen));
    assert!(steps(&seen).contains("which cannot be met at 30.0 jobs/s a worker"), "{}", steps(&seen));
    assert!(steps(&seen).contains("Done soonest with 1, in about 1."), "{}", steps(&seen));
    assert!(!steps(&seen).contains("Launching"), "{}", steps(&seen));
}
