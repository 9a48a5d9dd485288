//! The gateway's pods: the operator's own template, with the user's laid over it. Pure.

use crds::{ClassifierFleet, Tracing};
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::objects::{Parts, labels, name, selector};
use super::overlay::lay_over;
use super::volumes;

/// Port for uploads, within the pod.
const HTTP_PORT: u16 = 8080;
/// Port for health and metrics, within the pod.
const MONITOR_PORT: u16 = 9090;
/// User and group of the gateway's process: no name in the image is needed.
const NOBODY: i64 = 65532;
/// Name of the container.
const CONTAINER: &str = "gateway";

/// Uploads may wait so long for their answers once a pod is to end, in seconds: a node is not drained sooner than that.
const DRAIN_AT_MOST: i64 = 60;
/// What a pod needs to end before and after that, in seconds: until nobody sends to it any more, for the last answers (twice 5), and a
/// little more, as the kill waits for nobody.
const TO_END: i64 = 20;

/// The pod template: labels, variables and ports of ours stand, whatever the user's says.
pub(super) fn template(parts: &Parts) -> Value {
    let base = base(parts);
    let mut template = base.clone();
    if let Some(over) = &parts.fleet.spec.gateway.pod_template {
        lay_over(&mut template, over);
        protect(&mut template, &base);
    }
    template
}

fn base(parts: &Parts) -> Value {
    let spread = |topology: &str| json!({"topologyKey": topology, "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": selector(parts.fleet)}});
    json!({
        "metadata": {"labels": labels(parts.fleet)},
        "spec": {
            "serviceAccountName": name(parts.fleet),
            "automountServiceAccountToken": true,
            // Variables named after Services could be taken for settings.
            "enableServiceLinks": false,
            "terminationGracePeriodSeconds": grace(parts.fleet),
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": NOBODY, "runAsGroup": NOBODY, "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": volumes::volumes(parts.fleet),
            "topologySpreadConstraints": [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
            "containers": [container(parts)],
        },
    })
}

fn container(parts: &Parts) -> Value {
    let probe = |path: &str| json!({"httpGet": {"path": path, "port": "monitor"}, "periodSeconds": 2, "timeoutSeconds": 2});
    json!({
        "name": CONTAINER,
        "image": parts.fleet.spec.gateway.image.as_deref().unwrap_or(parts.image),
        "env": environment(parts),
        "volumeMounts": volumes::mounts(parts.fleet),
        "ports": [
            {"name": port_name(parts.fleet), "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "monitor", "containerPort": MONITOR_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": probe("/readyz"),
        "livenessProbe": probe("/healthz"),
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}},
    })
}

/// Name of the port for uploads, of the pods and of the Service. Where TLS begins or ends, the Service leads to the pods alone that do
/// as it says.
pub(super) fn port_name(fleet: &ClassifierFleet) -> &'static str {
    if fleet.spec.gateway.tls_secret.is_some() { "https" } else { "http" }
}

/// The largest message that the request queue takes; where the spec leaves it open, what every SQS takes.
fn max_message_bytes(fleet: &ClassifierFleet) -> i32 {
    const EVERYWHERE: i32 = 262_144;
    fleet.spec.queues.maximum_message_bytes.unwrap_or(EVERYWHERE)
}

fn environment(parts: &Parts) -> Vec<Value> {
    let from = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let (fleet, spec) = (parts.fleet, &parts.fleet.spec);
    let owner = fleet.controller_owner_ref(&()).and_then(|owner| serde_json::to_string(&owner).ok());
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
        ("CLASSIFIERFLEET_INLINE_BYTES", spec.storage.inline_bytes.to_string()),
        ("CLASSIFIERFLEET_MAX_MESSAGE_BYTES", max_message_bytes(fleet).to_string()),
        ("CLASSIFIERFLEET_MAX_PENDING", spec.gateway.max_pending.to_string()),
        ("CLASSIFIERFLEET_MAX_EVENT_STREAMS", spec.gateway.max_event_streams.to_string()),
        ("CLASSIFIERFLEET_REQUEST_TIMEOUT_SECONDS", spec.gateway.request_timeout_seconds.to_string()),
        ("CLASSIFIERFLEET_DRAIN_TIMEOUT_SECONDS", drain(fleet).to_string()),
        ("CLASSIFIERFLEET_WAKE_LEASE", format!("{}-$(POD_INDEX)", name(fleet))),
        ("CLASSIFIERFLEET_OWNER", owner.unwrap_or_default()),
        ("AWS_REGION", parts.region.to_owned()),
    ];
    let mut environment = vec![
        from("POD_IP", "status.podIP"),
        from("POD_INDEX", "metadata.labels['apps.kubernetes.io/pod-index']"),
        // Also where the container shares the node's network, and with it the node's name.
        from("HOSTNAME", "metadata.name"),
    ];
    environment.extend(options(fleet).into_iter().map(|(name, value)| json!({"name": name, "value": value})));
    environment.extend(values.into_iter().map(|(name, value)| json!({"name": name, "value": value})));
    environment.extend(parts.endpoints.iter().map(|(name, value)| json!({"name": name, "value": value})));
    environment
}

/// What the spec may leave out.
fn options(fleet: &ClassifierFleet) -> Vec<(&'static str, String)> {
    let gateway = &fleet.spec.gateway;
    let mut options = vec![
        ("CLASSIFIERFLEET_KEY_STYLE", fleet.spec.storage.key_style.to_string()),
        ("CLASSIFIERFLEET_SPOOL_DIR", volumes::SPOOL.to_owned()),
    ];
    options
        .extend(gateway.token_secret.as_ref().map(|secret| ("CLASSIFIERFLEET_TOKEN_FILE", format!("{}/{}", volumes::TOKEN, secret.key))));
    options.extend(gateway.tls_secret.as_ref().map(|_| ("CLASSIFIERFLEET_TLS_DIR", volumes::TLS.to_owned())));
    options.extend(gateway.cors.as_ref().map(|cors| ("CLASSIFIERFLEET_CORS_ORIGINS", cors.allowed_origins.join(","))));
    if let Some(cache) = &gateway.result_cache {
        options.push(("CLASSIFIERFLEET_CACHE_ENTRIES", cache.max_entries.to_string()));
        options.push(("CLASSIFIERFLEET_CACHE_TTL_SECONDS", cache.ttl_seconds.to_string()));
    }
    options.extend(fleet.spec.tracing.iter().flat_map(Tracing::environment));
    options
}

/// Seconds between the request to end and the kill: the user's, or what uploads under way deserve.
fn grace(fleet: &ClassifierFleet) -> i64 {
    let users = fleet.spec.gateway.pod_template.as_ref().and_then(|template| template["spec"]["terminationGracePeriodSeconds"].as_i64());
    users.unwrap_or_else(|| timeout(fleet).min(DRAIN_AT_MOST) + TO_END)
}

/// Seconds for which uploads under way are waited for.
fn drain(fleet: &ClassifierFleet) -> i64 {
    timeout(fleet).min((grace(fleet) - TO_END).max(0))
}

fn timeout(fleet: &ClassifierFleet) -> i64 {
    i64::from(fleet.spec.gateway.request_timeout_seconds)
}

/// Puts back what must be ours: the labels that the selector and others look for, and the container's variables, ports and volumes.
fn protect(template: &mut Value, base: &Value) {
    lay_over(&mut template["metadata"], &json!({"labels": base["metadata"]["labels"]}));
    let ours = &base["spec"]["containers"][0];
    let containers = &mut template["spec"]["containers"];
    lay_over(containers, &json!([{"name": CONTAINER}]));
    let gateway = containers.as_array_mut().and_then(|containers| containers.iter_mut().find(|container| container["name"] == CONTAINER));
    let Some(gateway) = gateway else { return };
    if gateway["image"].is_null() {
        gateway["image"] = ours["image"].clone();
    }
    for list in ["env", "ports", "volumeMounts"] {
        gateway[list] = ours_first(&ours[list], &gateway[list]);
    }
    // What kind of volume lies behind a mount is the user's to say, but there must be one.
    let theirs = &mut template["spec"]["volumes"];
    *theirs = ours_first(theirs, &base["spec"]["volumes"]);
}

fn ours_first(ours: &Value, merged: &Value) -> Value {
    let ours = ours.as_array().cloned().unwrap_or_default();
    let theirs = merged.as_array().into_iter().flatten();
    let theirs: Vec<Value> = theirs.filter(|item| ours.iter().all(|own| own["name"] != item["name"])).cloned().collect();
    ours.into_iter().chain(theirs).collect()
}
