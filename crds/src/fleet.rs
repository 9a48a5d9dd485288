//! The resource itself: spec, printer columns, subresources, and the rules that span it.

use std::fmt;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClassifierFleetStatus, Gateway, Queues, Scaling, Tracing, Workers};

/// Images uploaded over HTTP, classified by EC2 workers that exist only while there is work.
#[derive(CustomResource, KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "classifierfleet.dev",
    version = "v1alpha1",
    kind = "ClassifierFleet",
    plural = "classifierfleets",
    shortname = "cfleet",
    category = "all",
    namespaced,
    status = "ClassifierFleetStatus",
    derive = "PartialEq",
    scale(spec_replicas_path = ".spec.workers.replicas", status_replicas_path = ".status.workers.total", label_selector_path = ".status.selector"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desired", description = "Workers wanted"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.workers.ready", description = "Workers that take jobs"),
    printcolumn(name = "Starting", type_ = "integer", json_path = ".status.workers.starting", description = "Workers launched and not yet ready"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.workers.min"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.workers.max"),
    printcolumn(name = "Backlog", type_ = "integer", json_path = ".status.queue.backlog", description = "Jobs waiting and in work"),
    printcolumn(name = "Status", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Draining", type_ = "integer", json_path = ".status.workers.draining", priority = 1),
    printcolumn(name = "Warm", type_ = "integer", json_path = ".status.workers.stopped", description = "Stopped workers, ready to start", priority = 1),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model.uri", priority = 1),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision", priority = 1),
    printcolumn(name = "Limited-by", type_ = "string", json_path = ".status.decision.limitedBy", priority = 1),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')")
        .message("metadata.name must be 1 to 40 lower-case letters, digits and '-', begin with a letter and not end with '-': the fleet's Service and pods are named after it"),
    validation = Rule::new("!has(self.spec.region) || self.spec.region.matches('^[a-z]{2}(-[a-z]+)+-[0-9]+$')")
        .message("region must be an AWS region such as us-east-1; left out, it is the operator's"),
    validation = Rule::new("!has(self.spec.endpointUrl) || self.spec.endpointUrl.matches('^https?://[^/ ]+/?$')")
        .message("endpointUrl must be a URL without a path, such as https://proxy.example:4566; left out, AWS's own endpoints are used"),
    validation = Rule::new("!has(self.spec.scaling) || !has(self.spec.scaling.fallback) || self.spec.scaling.fallback.workers <= self.spec.workers.max")
        .message("scaling.fallback.workers must not be above workers.max: lower it or raise max"),
    validation = Rule::new("!has(self.spec.region) && !has(oldSelf.spec.region) || has(self.spec.region) && has(oldSelf.spec.region) && self.spec.region == oldSelf.spec.region")
        .message("region cannot be changed, the fleet's queues, buckets and instances are there: apply a fleet of another name instead"),
    validation = Rule::new("!has(self.spec.endpointUrl) && !has(oldSelf.spec.endpointUrl) || has(self.spec.endpointUrl) && has(oldSelf.spec.endpointUrl) && self.spec.endpointUrl == oldSelf.spec.endpointUrl")
        .message("endpointUrl cannot be changed, the fleet's queues, buckets and instances are there: apply a fleet of another name instead")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(cel)]
pub struct ClassifierFleetSpec {
    /// AWS region of queues, buckets and instances, such as `us-east-1`; default: the operator's. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,
    /// URL at which operator, gateway and workers of this fleet reach SQS, S3 and EC2, for stand-ins and proxies; default: AWS's own, or the operator's. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub endpoint_url: Option<String>,
    /// The SQS queues between gateway and workers; made if missing.
    pub queues: Queues,
    /// The S3 buckets of images and results; made if missing.
    pub storage: Storage,
    /// The model that the workers run.
    pub model: Model,
    /// The EC2 instances that classify.
    pub workers: Workers,
    /// How many workers a backlog deserves.
    #[serde(default)]
    pub scaling: Scaling,
    /// The HTTP front that takes uploads.
    #[serde(default)]
    pub gateway: Gateway,
    /// Traces of uploads across gateway and workers; left out, there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// What happens to queues and buckets when the fleet is deleted. Its instances are always terminated.
    #[serde(default)]
    pub deletion: Deletion,
}

/// What happens to queues and buckets when the fleet is deleted.
#[derive(JsonSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deletion {
    /// The queues and the jobs in them. `Delete` deletes those that the operator made for this fleet.
    #[serde(default)]
    pub queues: DeletionPolicy,
    /// The buckets and all images and results in them. `Delete` deletes those that the operator made for this fleet.
    #[serde(default)]
    pub buckets: DeletionPolicy,
}

/// Whether something outlives the fleet.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It is deleted with the fleet, with all that it holds.
    Delete,
}

/// The S3 buckets of images and results.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("[self.inputBucket, self.outputBucket].all(b, b.matches('^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$') && !b.contains('..') && !b.matches('^[0-9]+([.][0-9]+){3}$'))")
        .message("a bucket name has 3 to 63 lower-case letters, digits, '.' and '-', begins and ends with a letter or digit, has no two dots in a row and is no IP address"),
    validation = Rule::new("self.inputBucket != self.outputBucket")
        .message("inputBucket and outputBucket must differ: name two buckets, for example imagenet-in and imagenet-out"),
    validation = Rule::new("self.inputBucket == oldSelf.inputBucket && self.outputBucket == oldSelf.outputBucket")
        .message("the buckets of a fleet cannot be changed, its images and results lie there: apply a fleet of another name instead")
)]
pub struct Storage {
    /// Bucket of uploaded images, object key `<id>/<name>`.
    #[schemars(length(max = 63))]
    pub input_bucket: String,
    /// Bucket of results, object key `<id>/<name>.json`.
    #[schemars(length(max = 63))]
    pub output_bucket: String,
    /// Days after which images and results are deleted, by a lifecycle rule of both buckets; none: they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36500))]
    pub retention_days: Option<i32>,
    /// Under which keys images and answers lie. `Name` is for programs that read the buckets by file names; of two images of one name, the
    /// later takes the earlier one's place there, and nowhere else.
    #[serde(default)]
    pub key_style: KeyStyle,
    /// Images of at most so many bytes ride in the job's message as well, so that a worker need not fetch them from S3; 0: none does.
    /// One that the queue has no room for is fetched. SQS bills each 64 KiB of a message as a request of its own.
    #[serde(default = "inline_bytes")]
    #[schemars(range(min = 0, max = 184_320))]
    pub inline_bytes: i32,
}

/// Under which keys images and answers lie in their buckets.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStyle {
    /// `<id>/<name>` and `<id>/<name>.json`.
    #[default]
    Id,
    /// As well `<name>` in the input bucket, and in the output bucket `<name>` without its extension, its body the label.
    Name,
}

impl fmt::Display for KeyStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

fn inline_bytes() -> i32 {
    32_768
}

/// The model that the workers run.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.uri.matches('^file:///.+') || self.uri.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+')")
        .message("uri must name a model folder as s3://BUCKET/PREFIX or file:///FOLDER")
)]
pub struct Model {
    /// Folder that holds `model.json`: `s3://bucket/prefix`, of a bucket in the fleet's region, or `file:///folder` for one that the AMI brings.
    #[schemars(length(max = 1024))]
    pub uri: String,
    /// What runs the network: `tract` is part of the worker; `onnxruntime` needs ONNX Runtime's library in the AMI.
    #[serde(default)]
    pub engine: Engine,
}

/// What runs a network.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Part of the worker, in Rust.
    #[default]
    Tract,
    /// Microsoft's, loaded from a library.
    Onnxruntime,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tract => "tract",
            Self::Onnxruntime => "onnxruntime",
        })
    }
}
