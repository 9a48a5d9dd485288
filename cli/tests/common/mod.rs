//! Fleets for tests: the example, changed, with a status as the operator writes it.
#![allow(dead_code, clippy::unwrap_used)]

pub mod api;
pub mod program;

use crds::{ClassifierFleet, ClassifierFleetStatus, Decision, QueueStatus, WorkersStatus};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use plan::{Group, Inputs, QueueDepth};

pub const EXAMPLE: &str = include_str!("../../../examples/imagenet.yaml");

/// The time of all tests.
pub fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// So many seconds before noon.
pub fn ago(seconds: i64) -> Time {
    Time(noon() - SignedDuration::from_secs(seconds))
}

/// The example with `changes` (what is written, what is written instead), of generation 3.
pub fn fleet(changes: &[(&str, &str)]) -> ClassifierFleet {
    let text = changes.iter().fold(EXAMPLE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let mut fleet = cli::manifest::parse(&text, "fleet.yaml").unwrap().remove(0);
    fleet.metadata.namespace = Some("vision".to_owned());
    fleet.metadata.generation = Some(3);
    fleet
}

/// `visible` jobs wait, and so many workers were wanted and are ready.
pub fn inputs(visible: u64, before: u32) -> Inputs {
    let ready = Group { workers: before, ready_in: SignedDuration::ZERO, jobs_per_second: 4.0 };
    Inputs {
        queue: Some(QueueDepth { visible, in_flight: 0, delayed: 0 }),
        failed_samples: 0,
        waiting: 0,
        oldest_age: None,
        arrivals_per_second: 0.0,
        before,
        lowest: None,
        highest: None,
        changes: Vec::new(),
        workers: if before > 0 { vec![ready] } else { Vec::new() },
        startable: 0,
        boot_cold: SignedDuration::from_secs(35),
        boot_warm: SignedDuration::from_secs(18),
        jobs_per_second: 4.0,
        measured: true,
    }
}

/// `fleet` with the decision that its settings make of `inputs`, and the status that goes with it.
pub fn decided(mut fleet: ClassifierFleet, inputs: &Inputs) -> ClassifierFleet {
    let plan::Desired { workers, limited_by, steps, .. } = plan::desired(&fleet.settings("1-4f2a9c"), inputs);
    let decision =
        Decision { at: ago(12), inputs: crds::DecisionInputs::of(inputs), steps, limited_by: limited_by.map(|limit| limit.to_string()) };
    let (desired, ready) = (i32::try_from(workers).unwrap(), i32::try_from(inputs.before).unwrap());
    fleet.status = Some(ClassifierFleetStatus {
        observed_generation: fleet.metadata.generation,
        revision: Some("1-4f2a9c".to_owned()),
        workers: WorkersStatus { total: ready, ready, ..WorkersStatus::default() },
        queue: inputs.queue.map(|queue| QueueStatus {
            backlog: i64::try_from(queue.backlog(fleet.counted())).unwrap(),
            visible: i64::try_from(queue.visible).unwrap(),
            in_flight: i64::try_from(queue.in_flight).unwrap(),
            delayed: i64::try_from(queue.delayed).unwrap(),
            sampled_at: ago(12),
        }),
        desired,
        decision: Some(decision),
        conditions: vec![condition("Ready", "True", "Steady", "All workers that are wanted are ready.")],
        ..ClassifierFleetStatus::default()
    });
    fleet
}

/// A change of `fleet`'s status.
pub fn with(mut fleet: ClassifierFleet, change: impl FnOnce(&mut ClassifierFleetStatus)) -> ClassifierFleet {
    change(fleet.status.as_mut().unwrap());
    fleet
}

/// A condition.
pub fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        last_transition_time: ago(60),
        observed_generation: Some(3),
    }
}
