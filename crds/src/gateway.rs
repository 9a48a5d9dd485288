//! The HTTP front of a fleet.

use std::collections::BTreeMap;
use std::fmt;

use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The HTTP front that takes uploads. Runs as a StatefulSet, so that each replica keeps its reply queue.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Gateway pods. 0: no uploads are taken; jobs that programs put into the request queue are still done.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Container image; default: the one that belongs to the operator's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// How clients in the cluster, or outside of it, reach the gateway.
    #[serde(default)]
    pub service: Service,
    /// Body of the answer to an upload that asks for no type by its Accept header.
    #[serde(default)]
    pub response_format: ResponseFormat,
    /// Largest image, in bytes; a larger one is answered with 413.
    #[serde(default = "max_upload_bytes")]
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub max_upload_bytes: i32,
    /// Images that may wait for their answer at once in one replica; more are answered with 429.
    #[serde(default = "max_pending")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_pending: i32,
    /// Seconds that an upload waits for its answer before it is told, with 504, where to find it later.
    #[serde(default = "request_timeout")]
    #[schemars(range(min = 1, max = 43200))]
    pub request_timeout_seconds: i32,
    /// Laid over the pod template that the operator makes: resources go to `spec.containers` under the name `gateway`, affinity and the
    /// like to `spec`, annotations to `metadata`. Lists of named things are merged by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pod_template")]
    pub pod_template: Option<serde_json::Value>,
    /// Annotations of the gateway's ServiceAccount, such as `eks.amazonaws.com/role-arn`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32))]
    pub service_account_annotations: BTreeMap<String, String>,
}

/// The parts of a pod template that may be laid over the operator's own: any field, for the API server checks the result.
fn pod_template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "metadata": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "Labels and annotations of the pods."},
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "description": "Fields of a PodSpec (`kubectl explain pod.spec`)."},
        },
    })
}

/// How clients reach the gateway.
#[derive(JsonSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Type of the Kubernetes Service.
    #[serde(default, rename = "type")]
    pub type_: ServiceType,
    /// Port of the Service.
    #[serde(default = "port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// Type of a Kubernetes Service.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// Reachable within the cluster.
    #[default]
    ClusterIP,
    /// Reachable at a port of every node.
    NodePort,
    /// Reachable through the cloud's load balancer.
    LoadBalancer,
}

/// Body of the answer to an upload.
#[derive(JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResponseFormat {
    /// `Paul`
    #[default]
    Label,
    /// `test_00:Paul`
    StemLabel,
    /// `(test_00.jpg,Paul)`
    Pair,
    /// `{"result": "Paul", …}`
    Json,
}

impl fmt::Display for ServiceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for ResponseFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            replicas: one(),
            image: None,
            service: Service::default(),
            response_format: ResponseFormat::default(),
            max_upload_bytes: max_upload_bytes(),
            max_pending: max_pending(),
            request_timeout_seconds: request_timeout(),
            pod_template: None,
            service_account_annotations: BTreeMap::new(),
        }
    }
}

impl Default for Service {
    fn default() -> Self {
        Self { type_: ServiceType::default(), port: port() }
    }
}

fn one() -> i32 {
    1
}

fn port() -> i32 {
    80
}

fn max_upload_bytes() -> i32 {
    10 * 1024 * 1024
}

fn max_pending() -> i32 {
    1000
}

fn request_timeout() -> i32 {
    900
}
