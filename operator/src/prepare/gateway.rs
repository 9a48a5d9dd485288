//! The gateway's StatefulSet and Service, by server-side apply: fields of ours that somebody changed are put right.

use crds::ClassifierFleet;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Service;
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::Fault;
use crate::context::{NAME, Operator};
use crate::revision::ENDPOINT_VARIABLES;

/// Port for uploads, within the pod.
const HTTP_PORT: u16 = 8080;
/// Port for health and metrics, within the pod.
const MONITOR_PORT: u16 = 9090;
/// User and group of the gateway's process: no name in the image is needed.
const NOBODY: i64 = 65532;

/// Name of the gateway's StatefulSet and Service.
pub fn name(fleet: &ClassifierFleet) -> String {
    format!("{}-gateway", fleet.name_any())
}

/// Applies StatefulSet and Service.
pub async fn ensure(operator: &Operator, fleet: &ClassifierFleet) -> Result<(), Fault> {
    let namespace = fleet.namespace().unwrap_or_default();
    let params = PatchParams::apply(NAME).force();
    let service: Api<Service> = Api::namespaced(operator.kube.clone(), &namespace);
    service.patch(&name(fleet), &params, &Patch::Apply(service_of(fleet))).await.map_err(|error| fault("Service", &error))?;
    let set: Api<StatefulSet> = Api::namespaced(operator.kube.clone(), &namespace);
    let desired = stateful_set_of(fleet, &operator.settings.gateway_image, &operator.region);
    set.patch(&name(fleet), &params, &Patch::Apply(desired)).await.map_err(|error| fault("StatefulSet", &error))?;
    Ok(())
}

fn fault(kind: &str, error: &kube::Error) -> Fault {
    Fault { reason: "GatewayRefused", message: format!("The gateway's {kind} was refused: {error}") }
}

fn labels(fleet: &ClassifierFleet) -> Value {
    json!({
        "app.kubernetes.io/name": "gateway",
        "app.kubernetes.io/part-of": "classifierfleet",
        "app.kubernetes.io/managed-by": NAME,
        "classifierfleet.dev/fleet": fleet.name_any(),
    })
}

fn selector(fleet: &ClassifierFleet) -> Value {
    json!({"app.kubernetes.io/name": "gateway", "classifierfleet.dev/fleet": fleet.name_any()})
}

fn metadata(fleet: &ClassifierFleet) -> Value {
    json!({
        "name": name(fleet),
        "namespace": fleet.namespace(),
        "labels": labels(fleet),
        "ownerReferences": fleet.controller_owner_ref(&()).into_iter().collect::<Vec<_>>(),
    })
}

fn service_of(fleet: &ClassifierFleet) -> Value {
    let service = &fleet.spec.gateway.service;
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(fleet),
        "spec": {
            "type": service.type_.to_string(),
            "selector": selector(fleet),
            "ports": [{"name": "http", "port": service.port, "targetPort": "http", "protocol": "TCP"}],
        },
    })
}

fn stateful_set_of(fleet: &ClassifierFleet, default_image: &str, region: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(fleet),
        "spec": {
            "replicas": fleet.spec.gateway.replicas,
            "serviceName": name(fleet),
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": selector(fleet)},
            "template": {
                "metadata": {"labels": labels(fleet)},
                "spec": {
                    "terminationGracePeriodSeconds": 60,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": NOBODY, "runAsGroup": NOBODY, "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [container(fleet, default_image, region)],
                },
            },
        },
    })
}

fn container(fleet: &ClassifierFleet, default_image: &str, region: &str) -> Value {
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "monitor"}, "periodSeconds": 2, "timeoutSeconds": 2});
    json!({
        "name": "gateway",
        "image": fleet.spec.gateway.image.as_deref().unwrap_or(default_image),
        "env": environment(fleet, region),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "monitor", "containerPort": MONITOR_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": probe("/readyz"),
        "livenessProbe": probe("/healthz"),
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
    })
}

fn environment(fleet: &ClassifierFleet, region: &str) -> Vec<Value> {
    let from = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let spec = &fleet.spec;
    let values = [
        ("CLASSIFIERFLEET_LISTEN", format!("$(POD_IP):{HTTP_PORT}")),
        ("CLASSIFIERFLEET_MONITOR_LISTEN", format!("$(POD_IP):{MONITOR_PORT}")),
        ("CLASSIFIERFLEET_NAMESPACE", fleet.namespace().unwrap_or_default()),
        ("CLASSIFIERFLEET_FLEET", fleet.name_any()),
        ("CLASSIFIERFLEET_REQUEST_QUEUE", spec.queues.request.name.clone()),
        ("CLASSIFIERFLEET_REPLY_QUEUE", format!("{}-$(POD_INDEX)", spec.queues.response.name)),
        ("CLASSIFIERFLEET_INPUT_BUCKET", spec.storage.input_bucket.clone()),
        ("CLASSIFIERFLEET_OUTPUT_BUCKET", spec.storage.output_bucket.clone()),
        ("CLASSIFIERFLEET_RESPONSE_FORMAT", spec.gateway.response_format.to_string()),
        ("CLASSIFIERFLEET_MAX_UPLOAD_BYTES", spec.gateway.max_upload_bytes.to_string()),
        ("CLASSIFIERFLEET_MAX_PENDING", spec.gateway.max_pending.to_string()),
        ("CLASSIFIERFLEET_REQUEST_TIMEOUT_SECONDS", spec.gateway.request_timeout_seconds.to_string()),
        ("AWS_REGION", region.to_owned()),
    ];
    let mut environment = vec![from("POD_IP", "status.podIP"), from("POD_INDEX", "metadata.labels['apps.kubernetes.io/pod-index']")];
    environment.extend(values.into_iter().map(|(name, value)| json!({"name": name, "value": value})));
    environment.extend(endpoints().into_iter().map(|(name, value)| json!({"name": name, "value": value})));
    environment
}

/// The AWS endpoints that the operator itself was given.
pub fn endpoints() -> Vec<(String, String)> {
    ENDPOINT_VARIABLES.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect()
}
