//! What the operator tells of a fleet.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Decision;

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
    /// A label selector that no pod has: workers are no pods, and a HorizontalPodAutoscaler drives nothing whose scale subresource has no selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// How that number came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Launches and starts that are not yet wholly visible in EC2: written before the call, so that none is lost or doubled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub launches: Vec<LaunchIntent>,
    /// Where workers can be launched, in order, and what was learned of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offerings: Vec<OfferingStatus>,
    /// Seconds from the call to ready, of the offering launched last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_seconds: Option<BootSeconds>,
    /// Jobs that one worker does each second, as the workers measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs_per_second_per_worker: Option<f64>,
    /// US dollars for 1,000 images at that rate, by the operator's price file: what busy workers cost, without boots and idle time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_thousand_images: Option<f64>,
    /// How the current revision fares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
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
    /// Stopped, or on their way there.
    #[serde(default)]
    pub stopped: i32,
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

/// A launch or a start, written down before EC2 is called. Asking again with the same token launches nothing new.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LaunchIntent {
    /// EC2's ClientToken, and the tag `classifierfleet:token` of what it launches.
    pub token: String,
    /// New instances, or stopped ones.
    #[serde(default)]
    pub action: LaunchAction,
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
    /// When EC2 was last asked, written down before; none: when it was written down itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Time>,
    /// EC2 has answered.
    #[serde(default)]
    pub answered: bool,
    /// What EC2 launched, once it has answered; what is to be started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instance_ids: Vec<String>,
}

/// What a launch intent is for.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchAction {
    /// New instances.
    #[default]
    Launch,
    /// Stopped instances.
    Start,
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
    /// Spot rather than on-demand.
    #[serde(default)]
    pub spot: bool,
}

/// An offering, whether it is open, and what was learned of it.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferingStatus {
    /// Which.
    #[serde(flatten)]
    pub offering: Offering,
    /// EC2 refused it: nothing is launched there before. Then probes are, one at first, doubling with each success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable_until: Option<Time>,
    /// How many may be launched at once while it is being probed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<i32>,
    /// Why it was closed: EC2's code, or `BootTimeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds from the call to ready, averaged over the latest workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_seconds: Option<BootSeconds>,
}

/// Seconds from the call to ready, averaged over the latest workers.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootSeconds {
    /// Of launched workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold: Option<f64>,
    /// Of stopped workers that were started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<f64>,
}

/// How the current revision fares.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The revision.
    pub revision: String,
    /// A worker of it was ready once.
    #[serde(default)]
    pub proven: bool,
    /// Workers of it in a row that never became ready; two stop its roll-out.
    #[serde(default)]
    pub never_ready: i32,
    /// When the last of them was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Time>,
    /// The launch template's version for it: an operator that has just begun launches by it, and need not ask EC2 first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_version: Option<i64>,
}

impl RolloutStatus {
    /// The launch template's version, if this is about `revision`.
    #[must_use]
    pub fn version_for(&self, revision: &str) -> Option<i64> {
        self.template_version.filter(|_| self.revision == revision)
    }
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
