//! The EC2 instances: how many there may be and what they are made from.

use kube::KubeSchema;
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
    /// Workers that run at most.
    #[schemars(range(min = 0, max = 1000))]
    pub max: i32,
    /// Set (by `kubectl scale`, an autoscaler): that many workers, between min and max, whatever waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: Option<i32>,
    /// What a worker is made from.
    pub template: Template,
    /// Seconds from launch until a worker must have registered; one that has not is terminated and replaced.
    #[serde(default = "boot_timeout")]
    #[schemars(range(min = 30, max = 3600))]
    pub boot_timeout_seconds: i32,
    /// Seconds that a draining worker has to finish its jobs; then it is terminated and SQS gives them to others.
    #[serde(default = "drain_timeout")]
    #[schemars(range(min = 1, max = 43200))]
    pub drain_timeout_seconds: i32,
}

/// What a worker is made from. A change is a new revision: workers launched from then on have it.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.imageId.matches('^ami-[0-9a-f]{8,17}$')")
        .message("imageId must be an AMI's id such as ami-0123456789abcdef0, of the operator's region"),
    validation = Rule::new("self.instanceTypes.all(t, t.matches('^[a-z0-9-]+[.][a-z0-9-]+$'))")
        .message("an instance type looks like t3.small"),
    validation = Rule::new("!has(self.subnetIds) || self.subnetIds.all(s, s.matches('^subnet-[0-9a-f]{8,17}$'))")
        .message("a subnet id looks like subnet-0123456789abcdef0"),
    validation = Rule::new("!has(self.securityGroupIds) || self.securityGroupIds.all(s, s.matches('^sg-[0-9a-f]{8,17}$'))")
        .message("a security group id looks like sg-0123456789abcdef0")
)]
pub struct Template {
    /// AMI that holds `classifierfleet-worker` on its PATH.
    #[schemars(length(max = 21))]
    pub image_id: String,
    /// Instance type to launch; one, for the time being.
    #[schemars(length(min = 1, max = 1), inner(length(max = 32)))]
    pub instance_types: Vec<String>,
    /// Subnet to launch into; one, for the time being. None: the default subnet of the default VPC.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1), inner(length(max = 24)))]
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
    /// Shell commands that run as root before the worker starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub user_data: Option<String>,
}

fn boot_timeout() -> i32 {
    300
}

fn drain_timeout() -> i32 {
    120
}
