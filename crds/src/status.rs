//! What the operator tells of a fleet.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator tells of a fleet.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassifierFleetStatus {
    /// Generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Hash of what new workers are made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Instances, counted.
    #[serde(default)]
    pub workers: WorkersStatus,
    /// The request queue as last sampled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStatus>,
    /// Workers wanted.
    #[serde(default)]
    pub desired: i32,
    /// How that number came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Launches that are not yet wholly visible in EC2: written before the call, so that none is lost or doubled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launches: Vec<LaunchIntent>,
    /// When the number wanted last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scale_time: Option<Time>,
    /// Ready, QueuesReady, GatewayReady, ScalingActive, AbleToScale, ScalingLimited, Degraded.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_string()]))]
    pub conditions: Vec<Condition>,
}

/// Instances, counted.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkersStatus {
    /// All that are not terminated, and launches under way.
    #[serde(default)]
    pub total: i32,
    /// Registered and taking jobs.
    #[serde(default)]
    pub ready: i32,
    /// Launched and not yet registered, and launches under way.
    #[serde(default)]
    pub starting: i32,
    /// Finishing what they have.
    #[serde(default)]
    pub draining: i32,
    /// Of another revision than new workers.
    #[serde(default)]
    pub outdated: i32,
}

/// The request queue as last sampled. SQS's counters are approximate.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Jobs counted for scaling.
    pub backlog: i64,
    /// Jobs that wait.
    pub visible: i64,
    /// Jobs that workers hold.
    pub in_flight: i64,
    /// Jobs whose delay has not passed.
    pub delayed: i64,
    /// When SQS said so.
    pub sampled_at: Time,
}

/// How the number of workers came about: enough to recompute it by hand.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When it was decided.
    pub at: Time,
    /// One sentence for each step, in order.
    pub steps: Vec<String>,
    /// The limit that binds, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<String>,
}

/// A launch, written down before EC2 is called. Asking again with the same token launches nothing new.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchIntent {
    /// EC2's ClientToken, and the tag `classifierfleet:token` of what it launches.
    pub token: String,
    /// Instances asked for.
    pub count: i32,
    /// Revision that they are made from.
    pub revision: String,
    /// Version of the fleet's launch template.
    pub template_version: i64,
    /// Where and as what.
    pub offering: Offering,
    /// When it was written down.
    pub requested_at: Time,
    /// What EC2 launched; empty until it has answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_ids: Vec<String>,
}

/// Where and as what instances are launched.
#[derive(JsonSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offering {
    /// Instance type.
    pub instance_type: String,
    /// Subnet; none: the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
}

/// Condition types of a fleet.
pub mod condition {
    /// The fleet does what it should: queues and gateway ready, scaling active, nothing degraded.
    pub const READY: &str = "Ready";
    /// Queues and buckets exist.
    pub const QUEUES_READY: &str = "QueuesReady";
    /// All gateway replicas answer.
    pub const GATEWAY_READY: &str = "GatewayReady";
    /// The queue depth is known and the number of workers follows it.
    pub const SCALING_ACTIVE: &str = "ScalingActive";
    /// EC2 does what it is asked.
    pub const ABLE_TO_SCALE: &str = "AbleToScale";
    /// A minimum or maximum binds.
    pub const SCALING_LIMITED: &str = "ScalingLimited";
    /// Something needs a person.
    pub const DEGRADED: &str = "Degraded";
}
