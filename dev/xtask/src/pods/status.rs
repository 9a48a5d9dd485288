//! What a kubelet says of a pod. Pure, but for the call that says it.

use std::net::Ipv4Addr;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::resolve::Workload;

/// Whether a pod says of itself that it is ready.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What became of a pod's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Running {
        since: Timestamp,
        ready: bool,
    },
    /// Dead, and to be started again later.
    BackOff {
        exit_code: i32,
        message: String,
    },
}

/// The status of a pod whose process is in `state` for the `restarts + 1`st time.
pub(super) fn status(workload: &Workload, address: Ipv4Addr, restarts: i32, state: &State, now: Timestamp) -> Value {
    let ready = matches!(state, State::Running { ready: true, .. });
    let (current, last) = match state {
        State::Running { since, .. } => (json!({"running": {"startedAt": since.to_string()}}), json!({})),
        State::BackOff { exit_code, message } => {
            let ended = json!({"exitCode": exit_code, "reason": "Error", "finishedAt": now.to_string()});
            (json!({"waiting": {"reason": "CrashLoopBackOff", "message": message}}), json!({"terminated": ended}))
        }
    };
    json!({"status": {
        "phase": "Running",
        "podIP": address.to_string(), "podIPs": [{"ip": address.to_string()}], "hostIP": address.to_string(),
        "conditions": conditions(ready, now),
        "containerStatuses": [{
            "name": workload.container, "image": workload.image, "imageID": workload.program.display().to_string(),
            "ready": ready, "started": matches!(state, State::Running { .. }), "restartCount": restarts,
            "state": current, "lastState": last,
        }],
    }})
}

/// The status of a pod that cannot be run here.
pub(super) fn refusal(container: &str, image: &str, message: &str, now: Timestamp) -> Value {
    json!({"status": {
        "phase": "Pending",
        "conditions": conditions(false, now),
        "containerStatuses": [{
            "name": container, "image": image, "imageID": "", "ready": false, "started": false, "restartCount": 0,
            "state": {"waiting": {"reason": "CreateContainerConfigError", "message": message}},
        }],
    }})
}

fn conditions(ready: bool, now: Timestamp) -> Value {
    let condition = |type_: &str, holds: bool| {
        let status = if holds { "True" } else { "False" };
        json!({"type": type_, "status": status, "lastTransitionTime": now.to_string()})
    };
    json!([condition("PodScheduled", true), condition("Initialized", true), condition("ContainersReady", ready), condition("Ready", ready)])
}

/// Tells the API server.
pub(super) async fn tell(pods: &Api<Pod>, name: &str, status: &Value) -> kube::Result<()> {
    pods.patch_status(name, &PatchParams::default(), &Patch::Strategic(status)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            container: "c".to_owned(),
            image: "a/b".to_owned(),
            program: "/bin/b".into(),
            args: Vec::new(),
            env: Vec::new(),
            mounts: Vec::new(),
            readiness: None,
            grace: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn a_status_is_one_that_kubernetes_reads() {
        let now = Timestamp::UNIX_EPOCH;
        for ready in [false, true] {
            let told = status(&workload(), Ipv4Addr::LOCALHOST, 0, &State::Running { since: now, ready }, now);
            let pod: Pod = serde_json::from_value(told).unwrap();
            assert_eq!(is_ready(&pod), ready);
        }
        let dead = State::BackOff { exit_code: 3, message: "again in 1 s".to_owned() };
        let pod: Pod = serde_json::from_value(status(&workload(), Ipv4Addr::LOCALHOST, 2, &dead, now)).unwrap();
        let container = &pod.status.unwrap().container_statuses.unwrap()[0];
        assert_eq!((container.restart_count, container.ready), (2, false));
        assert_eq!(container.last_state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 3);
    }
}
