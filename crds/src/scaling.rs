//! How many workers a backlog deserves.

use std::fmt;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many workers a backlog deserves.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    /// The goal: how the number of workers follows from the backlog. Give exactly one of its fields.
    #[serde(default)]
    pub target: Target,
    /// Workers are launched for a backlog of more than so many jobs; below, `workers.min` of them run.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub activation_messages: i32,
    /// Count jobs that workers are busy with, not only those that wait.
    #[serde(default = "yes")]
    pub count_in_flight: bool,
    /// Count messages whose delay has not passed.
    #[serde(default)]
    pub count_delayed: bool,
    /// Damping, with the schema of `autoscaling/v2`. It never delays the first worker.
    #[serde(default)]
    pub behavior: Behavior,
    /// What to do when the queue cannot be sampled; none: the number of workers is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

/// The goal: how the number of workers follows from the backlog.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("has(self.messagesPerWorker) != has(self.drainSeconds)")
        .message("give exactly one of messagesPerWorker and drainSeconds")
)]
pub struct Target {
    /// One worker for so many jobs: workers = ceil(backlog / messagesPerWorker).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_worker: Option<i32>,
    /// As few workers as do each job within so many seconds of its upload, by their measured rates and boot times. In a steady stream jobs wait for most
    /// of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub drain_seconds: Option<i32>,
}

/// Damping, with the schema of `autoscaling/v2`.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behavior {
    /// When the number rises. Default: no window, no policies: as fast as wanted.
    #[serde(default = "up")]
    pub scale_up: Rules,
    /// When the number falls. Default: a window of 60 s, no policies.
    #[serde(default = "down")]
    pub scale_down: Rules,
}

/// How the number may change in one direction, as `HPAScalingRules` in `autoscaling/v2`.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    /// Seconds of recommendations that count: falling, the highest of them is kept; rising, the lowest. Default 0 when rising, 60 when falling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,
    /// Which policy counts when there are several; `Disabled` forbids this direction.
    #[serde(default)]
    pub select_policy: SelectPolicy,
    /// How much the number may change within a time; none: as much as wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub policies: Vec<Policy>,
    /// The number is kept while the backlog per worker is within this fraction of the target; applies to `messagesPerWorker`. Default 0.1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub tolerance: Option<f64>,
}

/// How much the number may change within a time, as `HPAScalingPolicy` in `autoscaling/v2`.
#[derive(JsonSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// Whether `value` is a number of workers or a part of them.
    #[serde(rename = "type")]
    pub type_: PolicyType,
    /// Workers (`Pods`), or percent of the workers there were.
    #[schemars(range(min = 1, max = 100_000))]
    pub value: i32,
    /// Seconds within which the number changes by no more.
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// What a policy's value counts.
#[derive(JsonSchema, Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PolicyType {
    /// Workers. The name is that of `autoscaling/v2`.
    Pods,
    /// Percent of the workers at the beginning of the period.
    Percent,
}

/// Which policy counts when there are several.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectPolicy {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// What to do when the queue cannot be sampled.
#[derive(JsonSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// Failed samples in a row that are put up with; one success starts the count anew.
    #[serde(default = "three")]
    #[schemars(range(min = 0, max = 1000))]
    pub failure_threshold: i32,
    /// How many workers there are then.
    #[serde(default)]
    pub behavior: FallbackBehavior,
    /// The number of workers that `behavior` speaks of; not above `workers.max`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub workers: i32,
}

/// How many workers there are when the queue cannot be sampled.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FallbackBehavior {
    /// `workers`.
    Static,
    /// As many as there were.
    CurrentReplicas,
    /// As many as there were, but at least `workers`.
    #[default]
    CurrentReplicasIfHigher,
    /// As many as there were, but at most `workers`.
    CurrentReplicasIfLower,
}

impl fmt::Display for FallbackBehavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            target: Target::default(),
            activation_messages: 0,
            count_in_flight: yes(),
            count_delayed: false,
            behavior: Behavior::default(),
            fallback: None,
        }
    }
}

impl Default for Behavior {
    fn default() -> Self {
        Self { scale_up: up(), scale_down: down() }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self { messages_per_worker: Some(5), drain_seconds: None }
    }
}

fn up() -> Rules {
    Rules { stabilization_window_seconds: Some(0), ..Rules::default() }
}

fn down() -> Rules {
    Rules { stabilization_window_seconds: Some(60), ..Rules::default() }
}

fn yes() -> bool {
    true
}

fn three() -> i32 {
    3
}
