//! How many workers a backlog deserves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many workers a backlog deserves.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scaling {
    /// The goal.
    #[serde(default)]
    pub target: Target,
    /// Count jobs that workers are busy with, not only those that wait.
    #[serde(default = "yes")]
    pub count_in_flight: bool,
    /// Count messages whose delay has not passed.
    #[serde(default)]
    pub count_delayed: bool,
    /// Damping, with the schema of `autoscaling/v2`.
    #[serde(default)]
    pub behavior: Behavior,
}

/// The goal: how the number of workers follows from the backlog.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// One worker for so many jobs: workers = ceil(backlog / messagesPerWorker).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_worker: i32,
}

/// Damping, with the schema of `autoscaling/v2`.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Behavior {
    /// When the number falls.
    #[serde(default)]
    pub scale_down: ScaleDown,
}

/// When the number falls.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaleDown {
    /// The highest number that was recommended within so many seconds is kept.
    #[serde(default = "window")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: i32,
}

impl Default for Scaling {
    fn default() -> Self {
        Self { target: Target::default(), count_in_flight: yes(), count_delayed: false, behavior: Behavior::default() }
    }
}

impl Default for Target {
    fn default() -> Self {
        Self { messages_per_worker: 5 }
    }
}

impl Default for ScaleDown {
    fn default() -> Self {
        Self { stabilization_window_seconds: window() }
    }
}

fn yes() -> bool {
    true
}

fn window() -> i32 {
    60
}
