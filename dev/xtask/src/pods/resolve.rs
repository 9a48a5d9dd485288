//! From a pod's specification to a program with arguments and environment. Pure.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod, Probe};

use super::image::{ImageBinary, program_for};
use super::probe::{Check, ProbeError};
use super::volumes::{Mount, mounts};

/// What to run for a pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Workload {
    pub(super) container: String,
    pub(super) image: String,
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) mounts: Vec<Mount>,
    pub(super) readiness: Option<Check>,
    pub(super) grace: Duration,
}

/// Why a pod cannot run as a process.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ResolveError {
    #[error("a pod runs as a process when it has one container and no init containers")]
    Containers,
    #[error("no program is known for image {0:?}; name one with --image-binary NAME=PATH")]
    Image(String),
    #[error("a command is not understood here: the program that stands for the image is what starts; use args")]
    Command,
    #[error("environment variable {0}: only value and fieldRef are understood here, not what refers to ConfigMaps, Secrets or resources")]
    Source(String),
    #[error("environment variable {name}: fieldRef {path} is not understood here")]
    Field { name: String, path: String },
    #[error("readinessProbe: {0}")]
    Probe(#[from] ProbeError),
}

/// The container of the pod.
pub(super) fn container(pod: &Pod) -> Result<&Container, ResolveError> {
    let spec = pod.spec.as_ref().ok_or(ResolveError::Containers)?;
    match (spec.containers.as_slice(), spec.init_containers.as_deref().unwrap_or_default()) {
        ([container], []) => Ok(container),
        _ => Err(ResolveError::Containers),
    }
}

/// TCP ports that the pod's container listens on.
pub(super) fn ports(container: &Container) -> Vec<u16> {
    container.ports.iter().flatten().filter_map(|port| u16::try_from(port.container_port).ok()).collect()
}

/// What to run for `pod` at `address`.
pub(super) fn resolve(pod: &Pod, address: Ipv4Addr, images: &[ImageBinary]) -> Result<Workload, ResolveError> {
    let container = container(pod)?;
    let image = container.image.clone().unwrap_or_default();
    let program = program_for(images, &image).ok_or_else(|| ResolveError::Image(image.clone()))?.to_path_buf();
    let env = environment(pod, address, container.env.as_deref().unwrap_or_default())?;
    if container.env_from.iter().flatten().next().is_some() {
        return Err(ResolveError::Source("envFrom".to_owned()));
    }
    if container.command.iter().flatten().next().is_some() {
        return Err(ResolveError::Command);
    }
    let args = container.args.iter().flatten().map(|word| expand(word, &env)).collect();
    let readiness = container.readiness_probe.as_ref().map(|probe| check(probe, container, address)).transpose()?;
    let grace = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30);
    let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
    let (mounts, env) = (mounts(pod, container), env.into_iter().collect());
    Ok(Workload { container: container.name.clone(), image, program, args, env, mounts, readiness, grace })
}

fn check(probe: &Probe, container: &Container, address: Ipv4Addr) -> Result<Check, ProbeError> {
    Check::new(probe, container.ports.as_deref().unwrap_or_default(), address)
}

/// In order: a variable may use those before it.
fn environment(pod: &Pod, address: Ipv4Addr, variables: &[EnvVar]) -> Result<BTreeMap<String, String>, ResolveError> {
    let mut env = BTreeMap::new();
    for variable in variables {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), None) => expand(value, &env),
            (None, None) => String::new(),
            (_, Some(source)) => {
                let field = source.field_ref.as_ref().ok_or_else(|| ResolveError::Source(variable.name.clone()))?;
                let unknown = || ResolveError::Field { name: variable.name.clone(), path: field.field_path.clone() };
                field_of(pod, address, &field.field_path).ok_or_else(unknown)?
            }
        };
        env.insert(variable.name.clone(), value);
    }
    Ok(env)
}

fn field_of(pod: &Pod, address: Ipv4Addr, path: &str) -> Option<String> {
    let metadata = &pod.metadata;
    match path {
        "metadata.name" => metadata.name.clone(),
        "metadata.namespace" => metadata.namespace.clone(),
        "metadata.uid" => metadata.uid.clone(),
        "status.podIP" | "status.hostIP" => Some(address.to_string()),
        "spec.nodeName" => Some(super::NODE.to_owned()),
        _ => {
            let keyed = |kind: &str| path.strip_prefix(kind)?.strip_prefix("['")?.strip_suffix("']");
            let (key, values) = match (keyed("metadata.labels"), keyed("metadata.annotations")) {
                (Some(key), _) => (key, &metadata.labels),
                (None, Some(key)) => (key, &metadata.annotations),
                (None, None) => return None,
            };
            Some(values.as_ref().and_then(|values| values.get(key)).cloned().unwrap_or_default())
        }
    }
}

/// `$(NAME)` becomes the value of NAME if there is one; `$$` is `$`.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest.strip_prefix("$(").and_then(|tail| tail.split_once(')'));
        let value = reference.and_then(|(name, tail)| Some((env.get(name)?.as_str(), tail)));
        let (value, tail) = value.unwrap_or_else(|| ("$", rest.strip_prefix("$$").unwrap_or(&rest[1..])));
        expanded.push_str(value);
        rest = tail;
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 9, 9, 9);

    fn pod(container: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "a-1", "namespace": "n", "labels": {"apps.kubernetes.io/pod-index": "1"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 7},
        }))
        .unwrap()
    }

    fn images() -> Vec<ImageBinary> {
        vec![ImageBinary::new("a/b", "/bin/b")]
    }

    #[test]
    fn a_container_becomes_a_program() {
        let pod = pod(serde_json::json!({
            "name": "c", "image": "a/b:3", "args": ["--listen=$(LISTEN)"],
            "env": [
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "LISTEN", "value": "$(IP):8080"},
                {"name": "INDEX", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['apps.kubernetes.io/pod-index']"}}},
            ],
            "ports": [{"name": "http", "containerPort": 8080}, {"name": "monitor", "containerPort": 9090}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "monitor"}, "periodSeconds": 2},
        }));
        let workload = resolve(&pod, ADDRESS, &images()).unwrap();
        assert_eq!(workload.args, ["--listen=127.9.9.9:8080"]);
        let env: BTreeMap<_, _> = workload.env.into_iter().collect();
        assert_eq!((env["LISTEN"].as_str(), env["INDEX"].as_str()), ("127.9.9.9:8080", "1"));
        assert_eq!(workload.readiness.unwrap().url, "http://127.9.9.9:9090/readyz");
        assert_eq!(workload.grace, Duration::from_secs(7));
        assert_eq!(ports(container(&pod).unwrap()), [8080, 9090]);
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let unknown = pod(serde_json::json!({"name": "c", "image": "x/y:1"}));
        assert_eq!(resolve(&unknown, ADDRESS, &images()), Err(ResolveError::Image("x/y:1".to_owned())));
        let command = pod(serde_json::json!({"name": "c", "image": "a/b", "command": ["sh"]}));
        assert_eq!(resolve(&command, ADDRESS, &images()), Err(ResolveError::Command));
        let secret = serde_json::json!({"secretKeyRef": {"name": "s", "key": "k"}});
        let secret = pod(serde_json::json!({"name": "c", "image": "a/b", "env": [{"name": "S", "valueFrom": secret}]}));
        assert_eq!(resolve(&secret, ADDRESS, &images()), Err(ResolveError::Source("S".to_owned())));
        let field = serde_json::json!({"fieldRef": {"fieldPath": "spec.serviceAccountName"}});
        let field = pod(serde_json::json!({"name": "c", "image": "a/b", "env": [{"name": "F", "valueFrom": field}]}));
        assert!(matches!(resolve(&field, ADDRESS, &images()), Err(ResolveError::Field { .. })));
    }

    #[test]
    fn references_are_expanded_as_kubernetes_does() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let table =
            [("$(A)", "1"), ("x$(A)y$(A)", "x1y1"), ("$(B)", "$(B)"), ("$$(A)", "$(A)"), ("$", "$"), ("a$b", "a$b"), ("$(A", "$(A")];
        for (text, expected) in table {
            assert_eq!(expand(text, &env), expected, "{text}");
        }
    }
}
