//! Who a pod is: a token of its service account, in a kubeconfig, since a process finds no files under /var/run/secrets.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::PostParams;
use kube::config::{AuthInfo, Kubeconfig, NamedAuthInfo};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

/// Longer than anybody keeps a local stack: nothing renews the token. In seconds.
const VALID_SECONDS: i64 = 7 * 24 * 3600;
const USER: &str = "pod";

/// Writes a kubeconfig into `folder` in which `pod` is its service account and nobody else; none for a pod that wants no token.
pub(super) async fn kubeconfig(client: &Client, stack: &Path, pod: &Pod, folder: &Path) -> Result<Option<PathBuf>> {
    let Some(spec) = pod.spec.as_ref().filter(|spec| spec.automount_service_account_token != Some(false)) else { return Ok(None) };
    let (namespace, account) = (pod.namespace().unwrap_or_default(), spec.service_account_name.as_deref().unwrap_or("default"));
    let mut config = Kubeconfig::read_from(stack)?;
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &namespace);
    let request: TokenRequest = serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": VALID_SECONDS}}))?;
    let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let answer = answer.with_context(|| format!("no token for the service account {namespace}/{account}"))?;
    let token = answer.status.context("the token request has no answer")?.token;
    let user = AuthInfo { token: Some(token.into()), ..AuthInfo::default() };
    config.auth_infos = vec![NamedAuthInfo { name: USER.to_owned(), auth_info: Some(user), ..NamedAuthInfo::default() }];
    for context in config.contexts.iter_mut().filter_map(|named| named.context.as_mut()) {
        context.user = Some(USER.to_owned());
        context.namespace = Some(namespace.clone());
    }
    let path = folder.join("kubeconfig");
    crate::stack::write_secret(&path, serde_json::to_string(&config)?.as_bytes())?;
    Ok(Some(path))
}
