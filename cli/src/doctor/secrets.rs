//! The Secrets that a fleet's gateway needs, which the operator has no right to look at.

use crds::ClassifierFleet;
use k8s_openapi::api::core::v1::Secret;

use super::finding::Finding;
use crate::cluster::Cluster;

const SUBJECT: &str = "secrets";
const TLS_KEYS: [&str; 2] = ["tls.crt", "tls.key"];

/// Whether those that the fleet names are there, with the keys that are read.
pub(super) async fn check(cluster: &Cluster, fleet: &ClassifierFleet) -> Vec<Finding> {
    let gateway = &fleet.spec.gateway;
    let token = gateway.token_secret.as_ref().map(|secret| (secret.name.as_str(), vec![secret.key.as_str()]));
    let tls = gateway.tls_secret.as_ref().map(|secret| (secret.name.as_str(), TLS_KEYS.to_vec()));
    let mut findings = Vec::new();
    for (name, keys) in token.into_iter().chain(tls) {
        findings.push(match cluster.secrets(fleet).get_opt(name).await {
            Ok(Some(secret)) => complete(name, &keys, &secret),
            Ok(None) => Finding::wrong(SUBJECT, format!("The Secret {name} is missing"), "Make it: the gateway's pods wait for it"),
            Err(error) => {
                Finding::unknown(SUBJECT, format!("The Secret {name} could not be looked at: {error}"), "Ask somebody who may read Secrets")
            }
        });
    }
    findings
}

fn complete(name: &str, keys: &[&str], secret: &Secret) -> Finding {
    let data = secret.data.as_ref();
    let missing: Vec<&str> = keys.iter().copied().filter(|key| data.is_none_or(|data| !data.contains_key(*key))).collect();
    if missing.is_empty() {
        return Finding::right(SUBJECT, format!("The Secret {name} is there"));
    }
    Finding::wrong(SUBJECT, format!("The Secret {name} has no {}", missing.join(" and no ")), "Add it to the Secret's data")
}
