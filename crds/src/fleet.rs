//! The resource itself: spec, printer columns, subresources, and the rules that span it.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{ClassifierFleetStatus, Gateway, Queues, Scaling, Workers};

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
    scale(spec_replicas_path = ".spec.workers.replicas", status_replicas_path = ".status.workers.total"),
    printcolumn(name = "Desired", type_ = "integer", json_path = ".status.desired", description = "Workers wanted"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.workers.ready", description = "Workers that take jobs"),
    printcolumn(name = "Starting", type_ = "integer", json_path = ".status.workers.starting", description = "Workers launched and not yet ready"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.workers.min"),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.workers.max"),
    printcolumn(name = "Backlog", type_ = "integer", json_path = ".status.queue.backlog", description = "Jobs waiting and in work"),
    printcolumn(name = "Status", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Draining", type_ = "integer", json_path = ".status.workers.draining", priority = 1),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.model.uri", priority = 1),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision", priority = 1),
    printcolumn(name = "Limited-by", type_ = "string", json_path = ".status.decision.limitedBy", priority = 1),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')")
        .message("metadata.name must be 1 to 40 lower-case letters, digits and '-', begin with a letter and not end with '-': the fleet's Service and pods are named after it")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(cel)]
pub struct ClassifierFleetSpec {
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
}

/// The S3 buckets of images and results.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("[self.inputBucket, self.outputBucket].all(b, b.matches('^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$'))")
        .message("a bucket name has 3 to 63 lower-case letters, digits, '.' and '-', and begins and ends with a letter or digit"),
    validation = Rule::new("self.inputBucket != self.outputBucket")
        .message("inputBucket and outputBucket must differ: name two buckets, for example imagenet-in and imagenet-out"),
    validation = Rule::new("self == oldSelf")
        .message("the buckets of a fleet cannot be changed, its images and results lie there: apply a fleet of another name instead")
)]
pub struct Storage {
    /// Bucket of uploaded images, object key `<id>/<name>`.
    #[schemars(length(max = 63))]
    pub input_bucket: String,
    /// Bucket of results, object key `<id>/<name>.json`.
    #[schemars(length(max = 63))]
    pub output_bucket: String,
}

/// The model that the workers run.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.uri.startsWith('file:///') || self.uri.matches('^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+')")
        .message("uri must name a model folder as s3://BUCKET/PREFIX or file:///FOLDER")
)]
pub struct Model {
    /// Folder that holds `model.json`: `s3://bucket/prefix`, or `file:///folder` for one that the AMI brings.
    #[schemars(length(max = 1024))]
    pub uri: String,
}
