//! The Kubernetes objects of a gateway, as they should be. Pure.

use crds::ClassifierFleet;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::core::ApiResource;
use kube::{Resource, ResourceExt as _};
use serde_json::{Value, json};

use super::pod::{port_name, template};
use crate::context::NAME;
use crate::scope::FLEET_LABEL;

/// What the objects are made from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The fleet.
    pub fleet: &'a ClassifierFleet,
    /// Image of gateways whose fleet names none.
    pub image: &'a str,
    /// AWS region.
    pub region: &'a str,
    /// Variables that name AWS endpoints, and their values.
    pub endpoints: &'a [(String, String)],
}

/// An object as it should be.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its kind.
    pub resource: ApiResource,
    /// All fields that the operator decides.
    pub body: Value,
}

/// Name of the gateway's StatefulSet, and of all that belongs to it.
pub fn name(fleet: &ClassifierFleet) -> String {
    format!("{}-gateway", fleet.name_any())
}

/// All objects of the gateway, in the order in which they need each other.
pub fn objects(parts: &Parts) -> Vec<Object> {
    let (fleet, template) = (parts.fleet, template(parts));
    let mut objects = vec![
        object::<ServiceAccount>(metadata(fleet, &name(fleet)), json!({})),
        object::<Role>(metadata(fleet, &name(fleet)), json!({"rules": rules(fleet)})),
        object::<RoleBinding>(metadata(fleet, &name(fleet)), binding(fleet, &template)),
    ];
    let annotations = &fleet.spec.gateway.service_account_annotations;
    if let Some(account) = objects.first_mut().filter(|_| !annotations.is_empty()) {
        account.body["metadata"]["annotations"] = json!(annotations);
    }
    objects.extend(leases(fleet).into_iter().map(|lease| object::<Lease>(lease_metadata(fleet, &lease), json!({}))));
    objects.extend([
        object::<Service>(metadata(fleet, &name(fleet)), service(fleet)),
        object::<PodDisruptionBudget>(metadata(fleet, &name(fleet)), disruption_budget(fleet)),
        object::<StatefulSet>(metadata(fleet, &name(fleet)), stateful_set(fleet, template)),
    ]);
    objects
}

fn object<K: Resource<DynamicType = ()>>(metadata: Value, fields: Value) -> Object {
    let resource = ApiResource::erase::<K>(&());
    let mut body = json!({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata});
    if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
        body.extend(fields);
    }
    Object { resource, body }
}

/// Labels of all objects, and of the pods.
pub(super) fn labels(fleet: &ClassifierFleet) -> Value {
    json!({
        "app.kubernetes.io/name": "gateway",
        "app.kubernetes.io/part-of": "classifierfleet",
        "app.kubernetes.io/managed-by": NAME,
        FLEET_LABEL: fleet.name_any(),
    })
}

/// Labels by which pods are found. Those of a StatefulSet can never be changed.
pub(super) fn selector(fleet: &ClassifierFleet) -> Value {
    json!({"app.kubernetes.io/name": "gateway", FLEET_LABEL: fleet.name_any()})
}

fn metadata(fleet: &ClassifierFleet, name: &str) -> Value {
    let owners: Vec<_> = fleet.controller_owner_ref(&()).into_iter().collect();
    json!({"name": name, "namespace": fleet.namespace(), "labels": labels(fleet), "ownerReferences": owners})
}

/// Everything else of a Lease is its gateway's, the label that says who manages it too.
fn lease_metadata(fleet: &ClassifierFleet, name: &str) -> Value {
    let mut metadata = metadata(fleet, name);
    metadata["labels"] = json!({FLEET_LABEL: fleet.name_any()});
    metadata
}

/// Names of the Leases by which the replicas wake the operator.
fn leases(fleet: &ClassifierFleet) -> Vec<String> {
    (0..fleet.spec.gateway.replicas).map(|ordinal| format!("{}-{ordinal}", name(fleet))).collect()
}

/// Each gateway may read its fleet, read and write the Leases of its fleet, and nothing else; it cannot even make them, for a right to
/// create knows no names: the operator does. A rule without names would be for all Leases: without replicas there is none.
fn rules(fleet: &ClassifierFleet) -> Value {
    let itself = json!({
        "apiGroups": [ClassifierFleet::group(&())], "resources": [ClassifierFleet::plural(&())], "resourceNames": [fleet.name_any()], "verbs": ["get"],
    });
    match leases(fleet) {
        leases if leases.is_empty() => json!([itself]),
        leases => {
            json!([
                itself,
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": leases, "verbs": ["get", "patch"]},
            ])
        }
    }
}

/// For the account that the pods run under, also where the user's pod template names another.
fn binding(fleet: &ClassifierFleet, template: &Value) -> Value {
    let own = name(fleet);
    let account = template["spec"]["serviceAccountName"].as_str().unwrap_or(&own);
    json!({
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": own},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": fleet.namespace()}],
    })
}

fn service(fleet: &ClassifierFleet) -> Value {
    let (service, name) = (&fleet.spec.gateway.service, port_name(fleet));
    let mut port = json!({"name": name, "port": service.port, "targetPort": name, "protocol": "TCP"});
    if name == "https" {
        // For what would speak plain HTTP to it otherwise: ingress controllers, meshes.
        port["appProtocol"] = json!(name);
    }
    json!({"spec": {"type": service.type_.to_string(), "selector": selector(fleet), "ports": [port]}})
}

/// One at a time. For a single replica too: a budget that keeps the last pod would hold up every drain of its node.
fn disruption_budget(fleet: &ClassifierFleet) -> Value {
    json!({"spec": {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow", "selector": {"matchLabels": selector(fleet)}}})
}

fn stateful_set(fleet: &ClassifierFleet, template: Value) -> Value {
    json!({"spec": {
        "replicas": fleet.spec.gateway.replicas,
        "serviceName": name(fleet),
        "podManagementPolicy": "Parallel",
        "updateStrategy": {"type": "RollingUpdate"},
        "selector": {"matchLabels": selector(fleet)},
        "template": template,
    }})
}
