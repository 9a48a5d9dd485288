//! The volumes of the gateway's pods: uploads on their way that memory has no room for, and the Secrets that a fleet names. Pure.

use crds::{ClassifierFleet, TlsSecret, TokenSecret};
use serde_json::{Value, json};

/// Where uploads are kept on their way to S3.
pub(super) const SPOOL: &str = "/var/spool/classifierfleet";
/// Where the token lies.
pub(super) const TOKEN: &str = "/etc/classifierfleet/token";
/// Where certificate and key lie.
pub(super) const TLS: &str = "/etc/classifierfleet/tls";

/// What the node keeps of uploads before it ends the pod: more than the gateway keeps by itself, so that it never comes to that.
const SPOOL_LIMIT: &str = "5Gi";

/// Volumes of the pod. A Secret is mounted as a whole, so that what changes in it reaches the gateway.
pub(super) fn volumes(fleet: &ClassifierFleet) -> Vec<Value> {
    let gateway = &fleet.spec.gateway;
    let token = |TokenSecret { name, key }: &TokenSecret| json!({"name": "token", "secret": {"secretName": name, "items": [{"key": key, "path": key}]}});
    let tls = |TlsSecret { name }: &TlsSecret| json!({"name": "tls", "secret": {"secretName": name}});
    let spool = json!({"name": "spool", "emptyDir": {"sizeLimit": SPOOL_LIMIT}});
    [spool].into_iter().chain(gateway.token_secret.as_ref().map(token)).chain(gateway.tls_secret.as_ref().map(tls)).collect()
}

/// Where the container finds them.
pub(super) fn mounts(fleet: &ClassifierFleet) -> Vec<Value> {
    let gateway = &fleet.spec.gateway;
    let secret = |name: &str, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    let token = gateway.token_secret.as_ref().map(|_| secret("token", TOKEN));
    let tls = gateway.tls_secret.as_ref().map(|_| secret("tls", TLS));
    [json!({"name": "spool", "mountPath": SPOOL})].into_iter().chain(token).chain(tls).collect()
}
