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
    /// Clients that may listen to events at once in one replica, each open page of it being one; more are answered with 503.
    #[serde(default = "max_event_streams")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_event_streams: i32,
    /// Seconds that an upload waits for its answer before it is told, with 504, where to find it later.
    #[serde(default = "request_timeout")]
    #[schemars(range(min = 1, max = 43200))]
    pub request_timeout_seconds: i32,
    /// Secret whose token every request must carry (`Authorization: Bearer …`), but for the page and the API's description; none: anyone
    /// who reaches the gateway may use it. A token that changes holds within seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<TokenSecret>,
    /// Secret of the type `kubernetes.io/tls` with the certificate that the gateway shows; none: it speaks plain HTTP. A certificate that
    /// is renewed is taken up without a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_secret: Option<TlsSecret>,
    /// Which pages of other origins may use the gateway from a browser; none: only its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Answers kept for images of the same bytes, in the memory of each replica; none: every image is classified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_cache: Option<ResultCache>,
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

/// A token in a Secret of the fleet's namespace.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("tokenSecret.name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as gateway-token"),
    validation = Rule::new("!has(self.key) || (self.key.matches('^[-._a-zA-Z0-9]+$') && self.key != '.' && !self.key.startsWith('..'))")
        .message("tokenSecret.key must be a key of the Secret's data: letters, digits, '-', '_' and '.', such as token")
)]
pub struct TokenSecret {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key of its data that holds the token.
    #[serde(default = "token")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A certificate in a Secret of the fleet's namespace.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')")
        .message("tlsSecret.name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as gateway-tls")
)]
pub struct TlsSecret {
    /// Name of the Secret, with `tls.crt` and `tls.key`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What pages of other origins may do.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.allowedOrigins.all(o, o == '*' || o.matches('^https?://[^/ ,*]+$'))")
        .message("cors.allowedOrigins must hold origins such as https://photos.example:8443, without a path, or '*' for all")
)]
pub struct Cors {
    /// Origins (scheme, host and port) that may, or `*` for all.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 260)))]
    pub allowed_origins: Vec<String>,
}

/// Answers kept for images of the same bytes.
#[derive(JsonSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultCache {
    /// Answers that each replica keeps, the least used go first; one takes about 2 KB.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_entries: i32,
    /// Seconds for which an answer holds. It holds no longer than workers of its revision answer.
    #[serde(default = "cache_ttl")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub ttl_seconds: i32,
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
            max_event_streams: max_event_streams(),
            request_timeout_seconds: request_timeout(),
            token_secret: None,
            tls_secret: None,
            cors: None,
            result_cache: None,
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

fn token() -> String {
    "token".to_owned()
}

fn cache_ttl() -> i32 {
    3600
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

fn max_event_streams() -> i32 {
    256
}

fn request_timeout() -> i32 {
    900
}
