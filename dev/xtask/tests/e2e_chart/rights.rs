//! What the operator's service account may do, and what not, in the API server's own words.

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::{Stage, life};

/// Verb, resource with its group and, after a slash, its subresource; namespace, and name ("" for all of them).
type Request = (&'static str, &'static str, &'static str, &'static str);

const FLEETS: &str = "classifierfleets.classifierfleet.dev";

/// What it does for a fleet, as its code has it.
const NEEDED: [Request; 12] = [
    ("watch", FLEETS, "photos", ""),
    ("patch", FLEETS, "photos", ""),
    ("update", "classifierfleets.classifierfleet.dev/status", "photos", ""),
    ("create", "statefulsets.apps", "photos", ""),
    ("delete", "statefulsets.apps", "photos", ""),
    ("patch", "services", "photos", ""),
    ("create", "serviceaccounts", "photos", ""),
    ("create", "roles.rbac.authorization.k8s.io", "photos", ""),
    ("patch", "rolebindings.rbac.authorization.k8s.io", "photos", ""),
    ("watch", "leases.coordination.k8s.io", "photos", ""),
    ("patch", "poddisruptionbudgets.policy", "photos", ""),
    ("create", "events.events.k8s.io", "photos", ""),
];

/// What nobody may do in its name who takes its pod over.
const REFUSED: [Request; 26] = [
    ("get", "secrets", "photos", ""),
    ("list", "secrets", "", ""),
    ("get", "configmaps", "photos", ""),
    ("list", "pods", "photos", ""),
    ("create", "pods", "photos", ""),
    ("delete", "pods", "photos", ""),
    ("create", "pods/exec", "photos", ""),
    ("create", "serviceaccounts/token", "photos", ""),
    ("impersonate", "serviceaccounts", "photos", ""),
    ("get", "nodes", "", ""),
    ("list", "namespaces", "", ""),
    ("get", "namespaces", "", "photos"),
    ("delete", "namespaces", "", "kube-system"),
    ("create", "deployments.apps", "photos", ""),
    ("create", "daemonsets.apps", "photos", ""),
    ("create", "jobs.batch", "photos", ""),
    ("create", FLEETS, "photos", ""),
    ("delete", FLEETS, "photos", ""),
    ("escalate", "roles.rbac.authorization.k8s.io", "photos", ""),
    ("bind", "roles.rbac.authorization.k8s.io", "photos", ""),
    ("create", "clusterroles.rbac.authorization.k8s.io", "", ""),
    ("create", "clusterrolebindings.rbac.authorization.k8s.io", "", ""),
    ("patch", "customresourcedefinitions.apiextensions.k8s.io", "", ""),
    ("create", "validatingwebhookconfigurations.admissionregistration.k8s.io", "", ""),
    ("delete", "events.events.k8s.io", "photos", ""),
    ("delete", "persistentvolumeclaims", "photos", ""),
];

pub async fn of_all_namespaces(stage: &Stage) {
    let account = format!("system:serviceaccount:{}:{}", life::NAMESPACE, life::RELEASE);
    expect(stage, &account, &NEEDED, true).await;
    expect(stage, &account, &[("get", "namespaces", "", "kube-system")], true).await;
    expect(stage, &account, &REFUSED, false).await;
}

pub async fn of_one_namespace(stage: &Stage) {
    let account = "system:serviceaccount:team:team-classifier-fleet";
    let elsewhere: Vec<Request> = NEEDED.to_vec();
    let here: Vec<Request> = NEEDED.map(|(verb, resource, _, name)| (verb, resource, "team", name)).into();
    expect(stage, account, &here, true).await;
    expect(stage, account, &elsewhere, false).await;
    expect(stage, account, &REFUSED, false).await;
    expect(stage, account, &[("get", "namespaces", "", "kube-system")], false).await;
}

async fn expect(stage: &Stage, account: &str, requests: &[Request], allowed: bool) {
    let client = stage.stack.kubernetes().client().await.unwrap();
    for request in requests {
        assert_eq!(may(&client, account, request).await, allowed, "{account}: {request:?}");
    }
}

async fn may(client: &Client, account: &str, (verb, resource, namespace, name): &Request) -> bool {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let attributes = json!({
        "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace, "name": name,
    });
    // As the API server takes a token of the account.
    let namespace = account.split(':').nth(2).unwrap();
    let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}"), "system:authenticated".to_owned()];
    let review = json!({"spec": {"user": account, "groups": groups, "resourceAttributes": attributes}});
    let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}
