//! Objects of the API server by a client rather than kubectl: what is polled must not cost a process each time.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hyper::Request;
use hyper::http::request::Builder;
use kube::Client;
use serde_json::{Value, json};
use xtask::stack::Stack;

use super::support::until;

/// The API server.
pub struct Cluster(Client);

/// Where objects of a kind are, by the plural that kubectl knows.
fn api(kind: &str) -> &'static str {
    match kind {
        "classifierfleets" => "/apis/classifierfleet.dev/v1alpha1",
        "statefulsets" => "/apis/apps/v1",
        "roles" | "rolebindings" => "/apis/rbac.authorization.k8s.io/v1",
        "poddisruptionbudgets" => "/apis/policy/v1",
        "leases" => "/apis/coordination.k8s.io/v1",
        "services" | "serviceaccounts" | "pods" => "/api/v1",
        _ => panic!("where are {kind}?"),
    }
}

impl Cluster {
    pub async fn of(stack: &Stack) -> Self {
        Self(stack.kubernetes().client().await.unwrap())
    }

    /// The object, if there is one.
    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        match self.0.request(Request::get(path(kind, namespace, name)).body(Vec::new()).unwrap()).await {
            Ok(object) => Some(object),
            Err(kube::Error::Api(status)) if status.code == 404 => None,
            Err(error) => panic!("{kind} {namespace}/{name}: {error}"),
        }
    }

    /// Makes an object.
    pub async fn create(&self, kind: &str, namespace: &str, body: &Value) -> Value {
        self.send(Request::post(path(kind, namespace, "")), "application/json", body).await
    }

    /// Changes an object by a merge patch.
    pub async fn patch(&self, kind: &str, namespace: &str, name: &str, change: Value) -> Value {
        self.send(Request::patch(path(kind, namespace, name)), "application/merge-patch+json", &change).await
    }

    /// Asks for an object's end, and does not wait for it.
    pub async fn delete(&self, kind: &str, namespace: &str, name: &str) {
        let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"});
        self.send(Request::delete(path(kind, namespace, name)), "application/json", &options).await;
    }

    /// Changes a fleet's spec.
    pub async fn respec(&self, namespace: &str, fleet: &str, spec: Value) {
        self.patch("classifierfleets", namespace, fleet, json!({ "spec": spec })).await;
    }

    /// Waits until an object is as it should be, and returns it.
    pub async fn wait(&self, kind: &str, namespace: &str, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        until(&format!("{kind} {namespace}/{name}: {what}"), async || {
            self.get(kind, namespace, name).await.is_some_and(|object| is(&object))
        })
        .await;
        self.get(kind, namespace, name).await.unwrap()
    }

    /// Waits until a fleet is as it should be, and returns it.
    pub async fn fleet(&self, namespace: &str, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait("classifierfleets", namespace, name, what, is).await
    }

    /// Waits until a gateway's pod is ready, and returns where it takes uploads.
    pub async fn gateway_url(&self, namespace: &str, pod: &str) -> String {
        let is_ready = |pod: &Value| condition(pod, "Ready").0 == "True";
        let pod = self.wait("pods", namespace, pod, "is ready", is_ready).await;
        format!("http://{}:8080", pod["status"]["podIP"].as_str().unwrap())
    }

    /// Waits until there is no such object.
    pub async fn gone(&self, kind: &str, namespace: &str, name: &str) {
        until(&format!("{kind} {namespace}/{name} is gone"), async || self.get(kind, namespace, name).await.is_none()).await;
    }

    async fn send(&self, request: Builder, content: &str, body: &Value) -> Value {
        let request = request.header("content-type", content).body(body.to_string().into_bytes()).unwrap();
        let what = format!("{} {}", request.method(), request.uri());
        self.0.request(request).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }
}

fn path(kind: &str, namespace: &str, name: &str) -> String {
    let path = format!("{}/namespaces/{namespace}/{kind}/{name}", api(kind));
    path.trim_end_matches('/').to_owned()
}

/// Truth and reason of a condition of an object; a pod's may have no reason.
pub fn condition<'a>(object: &'a Value, type_: &str) -> (&'a str, &'a str) {
    let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = conditions.iter().find(|condition| condition["type"] == type_);
    found.map_or(("", ""), |condition| (condition["status"].as_str().unwrap(), condition["reason"].as_str().unwrap_or_default()))
}

/// A fleet called `name` whose queues and buckets are called after it, with quick decisions and without a gateway; `spec` is
/// merged into it.
pub fn small(name: &str, spec: &Value) -> Value {
    let base = json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": name},
        "spec": {
            "queues": {"request": {"name": format!("{name}-requests")}, "response": {"name": format!("{name}-responses")}},
            "storage": {"inputBucket": format!("{name}-in"), "outputBucket": format!("{name}-out")},
            "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
            "workers": {"max": 5, "template": {"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"], "instanceProfile": "worker"}},
            "scaling": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}},
            "gateway": {"replicas": 0},
        },
    });
    merged(&base, &json!({ "spec": spec }))
}

/// `base` with `change` merged into it: null removes, lists are replaced.
pub fn merged(base: &Value, change: &Value) -> Value {
    let (Value::Object(base), Value::Object(change)) = (base, change) else { return change.clone() };
    let mut fields = base.clone();
    for (key, value) in change {
        if value.is_null() {
            fields.remove(key);
        } else {
            let below = base.get(key).cloned().unwrap_or_else(|| json!({}));
            fields.insert(key.clone(), merged(&below, value));
        }
    }
    Value::Object(fields)
}
