//! The decision as the status shows it: inputs and steps, enough to compute the number again by hand or by
//! `kubectl-fleet explain`. The shape of `plan::Inputs` in the API's words.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::{Group, Inputs, PastChange, Plan, QueueDepth};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the number of workers came about: enough to recompute it by hand.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When it was decided.
    pub at: Time,
    /// What it was decided from.
    #[serde(default)]
    pub inputs: DecisionInputs,
    /// One sentence for each step, in order.
    pub steps: Vec<String>,
    /// The limit that binds, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<String>,
}

/// What the number of workers was computed from.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionInputs {
    /// The request queue; none when it could not be sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueInputs>,
    /// Samples of the queue that failed in a row.
    #[serde(default)]
    pub failed_samples: i64,
    /// Uploads that waited in the gateways.
    #[serde(default)]
    pub waiting: i64,
    /// Seconds that the oldest of them had waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_age_seconds: Option<f64>,
    /// Jobs that arrived each second.
    #[serde(default)]
    pub arrivals_per_second: f64,
    /// The number wanted before.
    #[serde(default)]
    pub before: i64,
    /// The lowest number recommended within the scale-up window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lowest_recommended: Option<i64>,
    /// The highest number recommended within the scale-down window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highest_recommended: Option<i64>,
    /// Changes of the number within the policies' periods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeInput>,
    /// Workers that were there or on their way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<WorkersInput>,
    /// Stopped workers that could be started.
    #[serde(default)]
    pub startable: i64,
    /// Seconds from the launch call to ready.
    #[serde(default)]
    pub boot_cold_seconds: f64,
    /// Seconds from the start call to ready.
    #[serde(default)]
    pub boot_warm_seconds: f64,
    /// Jobs that a further worker does each second.
    #[serde(default)]
    pub jobs_per_second: f64,
    /// A worker was measured: the three above are no assumptions.
    #[serde(default)]
    pub measured: bool,
}

/// SQS's counters.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueInputs {
    /// Jobs that wait.
    pub visible: i64,
    /// Jobs that workers hold.
    pub in_flight: i64,
    /// Jobs whose delay has not passed.
    pub delayed: i64,
}

/// A change of the number wanted.
#[derive(JsonSchema, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeInput {
    /// Seconds ago.
    pub seconds_ago: f64,
    /// By how many workers.
    pub by: i64,
}

/// Workers that were alike.
#[derive(JsonSchema, Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkersInput {
    /// How many.
    pub count: i64,
    /// In how many seconds they would take jobs.
    pub ready_in_seconds: f64,
    /// Jobs that each does in a second.
    pub jobs_per_second: f64,
}

impl Decision {
    /// The decision that `plan` was made from at `at`.
    #[must_use]
    pub fn of(plan: &Plan, at: Time) -> Self {
        let limited_by = plan.limited_by.map(|limit| limit.to_string());
        Self { at, inputs: DecisionInputs::of(&plan.inputs), steps: plan.steps.clone(), limited_by }
    }
}

impl DecisionInputs {
    /// In the API's words. Times are rounded to tenths of a second, rates to thousandths: nobody reads more.
    #[must_use]
    pub fn of(inputs: &Inputs) -> Self {
        let Inputs {
            queue,
            failed_samples,
            waiting,
            oldest_age,
            arrivals_per_second,
            before,
            lowest,
            highest,
            changes,
            workers,
            startable,
            boot_cold,
            boot_warm,
            jobs_per_second,
            measured,
        } = inputs;
        Self {
            queue: queue.map(|QueueDepth { visible, in_flight, delayed }| QueueInputs {
                visible: number(visible),
                in_flight: number(in_flight),
                delayed: number(delayed),
            }),
            failed_samples: i64::from(*failed_samples),
            waiting: number(*waiting),
            oldest_age_seconds: oldest_age.map(seconds),
            arrivals_per_second: rate(*arrivals_per_second),
            before: i64::from(*before),
            lowest_recommended: lowest.map(i64::from),
            highest_recommended: highest.map(i64::from),
            changes: changes.iter().map(|change| ChangeInput { seconds_ago: past(change.ago), by: change.by }).collect(),
            workers: workers.iter().map(group).collect(),
            startable: i64::from(*startable),
            boot_cold_seconds: seconds(*boot_cold),
            boot_warm_seconds: seconds(*boot_warm),
            jobs_per_second: rate(*jobs_per_second),
            measured: *measured,
        }
    }

    /// What the decision was made from, to make it again.
    #[must_use]
    pub fn to_plan(&self) -> Inputs {
        Inputs {
            queue: self.queue.map(|queue| QueueDepth {
                visible: count(queue.visible),
                in_flight: count(queue.in_flight),
                delayed: count(queue.delayed),
            }),
            failed_samples: small(self.failed_samples),
            waiting: count(self.waiting),
            oldest_age: self.oldest_age_seconds.map(duration),
            arrivals_per_second: self.arrivals_per_second,
            before: small(self.before),
            lowest: self.lowest_recommended.map(small),
            highest: self.highest_recommended.map(small),
            changes: self.changes.iter().map(|change| PastChange { ago: duration(change.seconds_ago), by: change.by }).collect(),
            workers: self.workers.iter().map(workers).collect(),
            startable: small(self.startable),
            boot_cold: duration(self.boot_cold_seconds),
            boot_warm: duration(self.boot_warm_seconds),
            jobs_per_second: self.jobs_per_second,
            measured: self.measured,
        }
    }
}

fn group(group: &Group) -> WorkersInput {
    let Group { workers, ready_in, jobs_per_second } = *group;
    WorkersInput { count: i64::from(workers), ready_in_seconds: seconds(ready_in), jobs_per_second: rate(jobs_per_second) }
}

fn workers(input: &WorkersInput) -> Group {
    let WorkersInput { count, ready_in_seconds, jobs_per_second } = *input;
    Group { workers: small(count), ready_in: duration(ready_in_seconds), jobs_per_second }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn small(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}

fn seconds(duration: SignedDuration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}

/// Rounded down, so that what lies within a policy's period does so too as it is shown.
fn past(ago: SignedDuration) -> f64 {
    (ago.as_secs_f64() * 10.0).floor() / 10.0
}

fn rate(rate: f64) -> f64 {
    (rate * 1000.0).round() / 1000.0
}

fn duration(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::ZERO)
}
