//! The EC2 instances: how many there may be and what they are made from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The EC2 instances that classify.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.min <= self.max").message("min must not be above max: lower min or raise max")
)]
pub struct Workers {
    /// Workers that run even when nothing waits.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub min: i32,
    /// Workers that run at most. Draining ones count: they are paid for.
    #[schemars(range(min = 0, max = 1000))]
    pub max: i32,
    /// Set (by `kubectl scale`, an autoscaler): that many workers, between min and max, whatever waits. None: the queue decides. An autoscaler reads it before it writes it: set it once, by `kubectl scale`, for one to take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// What a worker is made from.
    pub template: Template,
    /// Seconds from launch until a worker must have registered; one that has not is replaced, told to drain, and terminated 30 s later.
    #[serde(default = "boot_timeout")]
    #[schemars(range(min = 5, max = 3600))]
    pub boot_timeout_seconds: i32,
    /// Seconds that a draining worker has to finish its jobs; then it is terminated and SQS gives them to others.
    #[serde(default = "drain_timeout")]
    #[schemars(range(min = 1, max = 43200))]
    pub drain_timeout_seconds: i32,
    /// Seconds without a job after which a worker leaves by itself, should the operator be gone; 0: never. Workers of `min` stay.
    #[serde(default = "idle_shutdown")]
    #[schemars(range(min = 0, max = 86_400))]
    pub idle_shutdown_seconds: i32,
    /// Stopped workers, which start sooner than new ones are launched and cost their volume only.
    #[serde(default)]
    pub warm_pool: WarmPool,
    /// How workers are replaced when what they are made from changes.
    #[serde(default)]
    pub update: Update,
}

/// Stopped workers, which start sooner than new ones are launched and cost their volume only. Spot workers cannot be stopped and never belong to it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.prepared <= self.max").message("prepared must not be above max: lower prepared or raise max")
)]
pub struct WarmPool {
    /// Workers that are stopped instead of terminated at most; 0: none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub max: i32,
    /// Stopped workers that are made in advance, before there was ever work.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub prepared: i32,
    /// Seconds after which a stopped worker is terminated, but for those of `prepared`.
    #[serde(default = "pool_idle")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub idle_seconds: i32,
}

/// How workers are replaced when what they are made from changes.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.maxUnavailable + self.maxSurge > 0").message("maxUnavailable and maxSurge must not both be 0: nothing could be replaced")
)]
pub struct Update {
    /// Workers that may be missing while others are replaced.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_unavailable: i32,
    /// Workers that there may be beyond those wanted, and beyond `max`, while others are replaced.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 1000))]
    pub max_surge: i32,
}

/// What the workers' capacity is bought as.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Capacity {
    /// Launch spot instances, and on-demand ones where spot has no room.
    #[serde(default)]
    pub spot: bool,
    /// With `spot`: the first so many workers are on-demand.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1000))]
    pub on_demand_base: i32,
}

/// What a worker is made from. A change is a new revision: workers are replaced by ones of it, a few at a time (see `update`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("has(self.imageId) != has(self.imageParameter)")
        .message("give exactly one of imageId (an AMI) and imageParameter (an SSM parameter that names one)"),
    validation = Rule::new("!has(self.imageId) || self.imageId.matches('^ami-[0-9a-f]{8,17}$')")
        .message("imageId must be an AMI's id such as ami-0123456789abcdef0, of the fleet's region"),
    validation = Rule::new("!has(self.imageParameter) || self.imageParameter.matches('^[A-Za-z0-9_./-]+(:[A-Za-z0-9_.-]+)?$')")
        .message("imageParameter must be an SSM parameter's name such as /my/ami, with :version or :label if wished"),
    validation = Rule::new("!has(self.userData) || !self.userData.startsWith('#!') || self.userData.startsWith('#!/bin/sh\\n')")
        .message("userData is shell commands that the operator puts into its own script: leave out the #! line"),
    validation = Rule::new(r"!has(self.userData) || !self.userData.matches('[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\x{2028}\\x{2029}\\x{fffe}\\x{ffff}]')")
        .message("userData must be text without control characters: cloud-init reads it as YAML"),
    validation = Rule::new("!has(self.binary) || !has(self.userData) || size(self.userData) <= 6144")
        .message("with binary, userData must not be longer than 6144 characters: EC2 takes 16 KiB in all; let it fetch what it needs"),
    validation = Rule::new("self.instanceTypes.all(t, t.matches('^[a-z0-9-]+[.][a-z0-9-]+$'))")
        .message("an instance type looks like t3.small"),
    validation = Rule::new("!has(self.subnetIds) || self.subnetIds.all(s, s.matches('^subnet-[0-9a-f]{8,17}$'))")
        .message("a subnet id looks like subnet-0123456789abcdef0"),
    validation = Rule::new("!has(self.securityGroupIds) || self.securityGroupIds.all(s, s.matches('^sg-[0-9a-f]{8,17}$'))")
        .message("a security group id looks like sg-0123456789abcdef0"),
    validation = Rule::new("self.instanceTypes.all(t, self.instanceTypes.exists_one(other, other == t)) && (!has(self.subnetIds) || self.subnetIds.all(s, self.subnetIds.exists_one(other, other == s))) && (!has(self.securityGroupIds) || self.securityGroupIds.all(s, self.securityGroupIds.exists_one(other, other == s)))")
        .message("name nothing twice in instanceTypes, subnetIds and securityGroupIds"),
    validation = Rule::new("!has(self.instanceProfile) || self.instanceProfile.matches('^[A-Za-z0-9_+=,.@-]+$')")
        .message("instanceProfile must be the name of an instance profile, not its ARN: what stands behind the last /")
)]
pub struct Template {
    /// AMI with cloud-init that holds `classifierfleet-worker` on its PATH, or any with cloud-init and systemd together with `binary`. Give either this or `imageParameter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 21))]
    pub image_id: Option<String>,
    /// SSM parameter that names the AMI, such as `/my/ami`. It is followed: another AMI in it is a new revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1011))]
    pub image_parameter: Option<String>,
    /// The worker's program, installed at boot, for an AMI that does not hold it. None: the AMI does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<Binary>,
    /// Instance types, the preferred one first. Where one has no room, the next is launched.
    #[schemars(length(min = 1, max = 10), inner(length(max = 32)))]
    pub instance_types: Vec<String>,
    /// Whether spot instances are launched.
    #[serde(default)]
    pub capacity: Capacity,
    /// Subnets, the preferred one first. None: the default subnet of the default VPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 24)))]
    pub subnet_ids: Vec<String>,
    /// Security groups. None: the VPC's default group. Workers need no inbound rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 20)))]
    pub security_group_ids: Vec<String>,
    /// Name of the instance profile whose role lets workers use the queues and buckets and tag themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub instance_profile: Option<String>,
    /// EC2 key pair for SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub key_name: Option<String>,
    /// Size of the root volume in GiB; default: the image's own.
    #[serde(default, rename = "volumeGiB", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_384))]
    pub volume_gib: Option<i32>,
    /// Shell commands that run as root before the worker starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub user_data: Option<String>,
}

/// The worker's program in S3. Workers fetch it with the role of `instanceProfile`, which needs `s3:GetObject` on it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.uri.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.*()/+=@~-]+$')")
        .message("binary.uri must be s3://bucket/key, the key of letters, digits and !_.*()/+=@~-"),
    validation = Rule::new("self.sha256.matches('^[0-9a-f]{64}$')")
        .message("binary.sha256 must be 64 digits, 0-9 and a-f: what sha256sum prints")
)]
pub struct Binary {
    /// Where it lies: `s3://bucket/key`, in the fleet's region, built for the AMI's architecture.
    #[schemars(length(max = 512))]
    pub uri: String,
    /// SHA-256 of the program, in hex. Another program does not start.
    #[schemars(length(max = 64))]
    pub sha256: String,
}

fn boot_timeout() -> i32 {
    300
}

fn drain_timeout() -> i32 {
    120
}

fn idle_shutdown() -> i32 {
    900
}

fn pool_idle() -> i32 {
    600
}

fn one() -> i32 {
    1
}

impl Default for WarmPool {
    fn default() -> Self {
        Self { max: 0, prepared: 0, idle_seconds: pool_idle() }
    }
}

impl Default for Update {
    fn default() -> Self {
        Self { max_unavailable: one(), max_surge: one() }
    }
}
