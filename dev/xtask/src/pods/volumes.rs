//! Volumes of a pod that runs as a process: folders of its own stand for its mounts, and what names a mount names the folder. Empty
//! folders and Secrets are understood; others are left out. A Secret that changes later is not followed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::{Container, Pod, Secret, Volume};
use kube::{Api, Client, ResourceExt as _};

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    volume: String,
    path: String,
    content: Content,
}

/// What lies in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Empty,
    /// A Secret's values, of all its keys or of those that are given a file name.
    Secret {
        name: String,
        items: Option<Vec<(String, String)>>,
    },
}

/// The mounts of `container` that are understood.
pub(super) fn mounts(pod: &Pod, container: &Container) -> Vec<Mount> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let content = |name: &str| content(volumes.clone().find(|volume| volume.name == name)?);
    let mounted = container.volume_mounts.iter().flatten();
    mounted
        .filter_map(|mount| Some(Mount { volume: mount.name.clone(), path: mount.mount_path.clone(), content: content(&mount.name)? }))
        .collect()
}

fn content(volume: &Volume) -> Option<Content> {
    if volume.empty_dir.is_some() {
        return Some(Content::Empty);
    }
    let secret = volume.secret.as_ref()?;
    let items = secret.items.as_ref().map(|items| items.iter().map(|item| (item.key.clone(), item.path.clone())).collect());
    Some(Content::Secret { name: secret.secret_name.clone()?, items })
}

/// Makes the folders of a pod's mounts below `folder`. Returns what stands for each mount's path.
pub(super) async fn lay_out(client: &Client, pod: &Pod, mounts: &[Mount], folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let mut placed = Vec::new();
    for Mount { volume, path, content } in mounts {
        let place = folder.join("volumes").join(volume);
        std::fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
        if let Content::Secret { name, items } = content {
            let secret = secrets.get(name).await.with_context(|| format!("the Secret {name} of the volume {volume} cannot be read"))?;
            fill(&secret, items.as_deref(), &place)?;
        }
        placed.push((path.clone(), place));
    }
    Ok(placed)
}

fn fill(secret: &Secret, items: Option<&[(String, String)]>, place: &Path) -> Result<()> {
    let values = secret.data.clone().unwrap_or_default();
    let all = || values.keys().map(|key| (key.clone(), key.clone())).collect();
    for (key, file) in items.map_or_else(all, <[_]>::to_vec) {
        let value = values.get(&key).with_context(|| format!("the Secret {} has no key {key}", secret.name_any()))?;
        crate::stack::write_secret(&place.join(file), &value.0)?;
    }
    Ok(())
}

/// `value` with the folder that stands for the mount in which it lies, if it does.
pub(super) fn relocated(value: &str, placed: &[(String, PathBuf)]) -> String {
    let within = |(path, place): &(String, PathBuf)| {
        let rest = value.strip_prefix(path.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", place.display()))
    };
    placed.iter().find_map(within).unwrap_or_else(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_folders_and_secrets_are_understood() {
        let container = json!({"name": "c", "volumeMounts": [
            {"name": "spool", "mountPath": "/var/spool"}, {"name": "token", "mountPath": "/etc/token"}, {"name": "access", "mountPath": "/run"},
        ]});
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container], "volumes": [
            {"name": "spool", "emptyDir": {}},
            {"name": "token", "secret": {"secretName": "s", "items": [{"key": "k", "path": "file"}]}},
            {"name": "access", "projected": {"sources": []}},
        ]}}))
        .unwrap();
        let mount = |volume: &str, path: &str, content| Mount { volume: volume.to_owned(), path: path.to_owned(), content };
        let secret = Content::Secret { name: "s".to_owned(), items: Some(vec![("k".to_owned(), "file".to_owned())]) };
        let expected = [mount("spool", "/var/spool", Content::Empty), mount("token", "/etc/token", secret)];
        assert_eq!(mounts(&pod, &pod.spec.as_ref().unwrap().containers[0]), expected);
    }

    #[test]
    fn what_lies_in_a_mount_is_found_in_its_folder() {
        let placed = [("/etc/token".to_owned(), PathBuf::from("/stack/token"))];
        let table = [
            ("/etc/token", "/stack/token"),
            ("/etc/token/file", "/stack/token/file"),
            ("/etc/tokens", "/etc/tokens"),
            ("elsewhere", "elsewhere"),
        ];
        for (value, expected) in table {
            assert_eq!(relocated(value, &placed), expected);
        }
    }
}
