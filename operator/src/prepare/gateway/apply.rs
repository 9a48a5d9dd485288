//! Making an object what it should be, by server-side apply; but never one that is somebody else's. Must not know what the
//! objects are for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, DynamicObject, GetParams, Patch, PatchParams, Preconditions};
use kube::core::ApiResource;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::objects::Object;
use super::overlay::holds;
use crate::context::NAME;
use crate::prepare::fault::{Fault, NAME_IN_USE};

/// Annotation: hash of what was applied last. What is applied no longer must be removed, which only another apply does.
const APPLIED: &str = "classifierfleet.dev/applied";

/// Objects of a namespace that belong to one fleet.
pub(super) struct Namespace<'a> {
    pub(super) kube: &'a Client,
    pub(super) name: &'a str,
    /// Uid of the fleet.
    pub(super) uid: &'a str,
}

/// What there is under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Just what should be.
    Right,
    /// Nothing, or something of ours that is otherwise.
    Wrong,
    /// Something of a fleet of our name that is gone: Kubernetes is about to collect it.
    LeftOver,
    /// Something that is not ours.
    Strange,
}

impl Namespace<'_> {
    /// Applies `object` unless it is there already. A look costs the API server less than an apply.
    pub(super) async fn ensure(&self, object: &Object) -> Result<(), Fault> {
        let Object { resource, body } = object;
        let (api, name) = (self.api(resource), body["metadata"]["name"].as_str().unwrap_or_default());
        let hash = hex::encode(Sha256::digest(body.to_string()));
        let mut body = body.clone();
        body["metadata"]["annotations"][APPLIED] = json!(&hash[..16]);
        // From the API server's cache first, and exactly when that shows anything amiss.
        let mut before = None;
        for exactness in [GetParams::any(), GetParams::default()] {
            let live = get(&api, name, &exactness).await?;
            match (found(live.as_ref(), &body, self.uid), exactness == GetParams::default()) {
                (Found::Right, _) => return Ok(()),
                (Found::Strange, true) => return Err(self.strange(resource, name)),
                // Collecting takes up to half a minute, and a Lease or Service is needed now.
                (Found::LeftOver, true) => self.delete(resource, name, live.and_then(|live| live.uid())).await?,
                (Found::Wrong | Found::LeftOver | Found::Strange, _) => before = live.and_then(|live| live.metadata.resource_version),
            }
        }
        let applied = api.patch(name, &PatchParams::apply(NAME).force(), &Patch::Apply(&body)).await;
        let applied = applied.map_err(|error| Fault::kubernetes(&refusal(&resource.kind, name), &error))?;
        // A value that the API server writes in its own way, such as 1000m of CPU, looks changed and is not.
        if applied.metadata.resource_version != before {
            tracing::info!(kind = resource.kind, name, namespace = self.name, "applied");
        }
        Ok(())
    }

    /// Deletes an object of ours, if it is there.
    pub(super) async fn remove(&self, resource: &ApiResource, name: &str) -> Result<(), Fault> {
        let live = get(&self.api(resource), name, &GetParams::default()).await?.filter(|live| is_ours(live, self.uid));
        match live {
            Some(live) => self.delete(resource, name, live.uid()).await,
            None => Ok(()),
        }
    }

    /// Deletes the object `name` if it is still the one with this `uid`.
    async fn delete(&self, resource: &ApiResource, name: &str, uid: Option<String>) -> Result<(), Fault> {
        let params = DeleteParams::background().preconditions(Preconditions { uid, resource_version: None });
        match self.api(resource).delete(name, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(Fault::kubernetes(&format!("The {} {name} cannot be deleted", resource.kind), &error)),
        }
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.kube.clone(), self.name, resource)
    }

    fn strange(&self, resource: &ApiResource, name: &str) -> Fault {
        let (kind, namespace) = (&resource.kind, self.name);
        let message = format!(
            "There is a {kind} {name} in the namespace {namespace} that is not this fleet's, and it is left alone: delete or rename it, or apply the fleet \
             under another name."
        );
        Fault { reason: NAME_IN_USE, message }
    }
}

fn refusal(kind: &str, name: &str) -> String {
    match kind {
        "StatefulSet" => format!("The gateway's StatefulSet {name} was refused (look at spec.gateway, its podTemplate above all)"),
        "ServiceAccount" => format!("The gateway's ServiceAccount {name} was refused (look at spec.gateway.serviceAccountAnnotations)"),
        _ => format!("The gateway's {kind} {name} was refused"),
    }
}

async fn get(api: &Api<DynamicObject>, name: &str, how: &GetParams) -> Result<Option<DynamicObject>, Fault> {
    match api.get_with(name, how).await {
        Ok(live) => Ok(Some(live)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(Fault::kubernetes(&format!("The gateway's {name} cannot be looked up"), &error)),
    }
}

fn found(live: Option<&DynamicObject>, wanted: &Value, uid: &str) -> Found {
    let Some(live) = live else { return Found::Wrong };
    match serde_json::to_value(live) {
        _ if is_left_over(live, wanted, uid) => Found::LeftOver,
        _ if !is_ours(live, uid) => Found::Strange,
        Ok(live) if holds(&live, wanted) => Found::Right,
        _ => Found::Wrong,
    }
}

fn is_ours(live: &DynamicObject, uid: &str) -> bool {
    live.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// Whether its owner had the name and kind of ours, and was another: of one name there is one fleet, so that one is gone.
fn is_left_over(live: &DynamicObject, wanted: &Value, uid: &str) -> bool {
    let ours = &wanted["metadata"]["ownerReferences"][0];
    let had = |owner: &OwnerReference| ours["kind"] == owner.kind && ours["name"] == owner.name && ours["apiVersion"] == owner.api_version;
    live.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid != uid && had(owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(owner: &str, replicas: i64) -> Option<DynamicObject> {
        let owner = json!({"apiVersion": "v", "kind": "k", "name": "n", "uid": owner, "controller": true});
        let object = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet",
            "metadata": {"name": "a", "ownerReferences": [owner], "annotations": {APPLIED: "1"}, "resourceVersion": "7"},
            "spec": {"replicas": replicas, "revisionHistoryLimit": 10},
        });
        Some(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn what_is_there_is_right_wrong_or_strange() {
        let wanted = |hash: &str| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"annotations": {APPLIED: hash}}, "spec": {"replicas": 2}});
        assert_eq!(found(None, &wanted("1"), "ours"), Found::Wrong);
        assert_eq!(found(live("ours", 2).as_ref(), &wanted("1"), "ours"), Found::Right);
        assert_eq!(found(live("ours", 2).as_ref(), &wanted("2"), "ours"), Found::Wrong, "something is applied no longer");
        assert_eq!(found(live("ours", 3).as_ref(), &wanted("1"), "ours"), Found::Wrong, "somebody changed it");
        assert_eq!(found(live("theirs", 2).as_ref(), &wanted("1"), "ours"), Found::Strange);
        let mut again = wanted("1");
        again["metadata"]["ownerReferences"] = json!([{"apiVersion": "v", "kind": "k", "name": "n", "uid": "ours"}]);
        assert_eq!(found(live("theirs", 2).as_ref(), &again, "ours"), Found::LeftOver, "the fleet was deleted and made again");
        again["metadata"]["ownerReferences"][0]["name"] = json!("another");
        assert_eq!(found(live("theirs", 2).as_ref(), &again, "ours"), Found::Strange);
        let mut orphan = live("ours", 2);
        orphan.as_mut().unwrap().owner_references_mut().clear();
        assert_eq!(found(orphan.as_ref(), &wanted("1"), "ours"), Found::Strange, "somebody made it by hand");
    }
}
