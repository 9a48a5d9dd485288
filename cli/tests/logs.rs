//! `kubectl fleet logs`: whose lines are shown, in what order and shape, and what is said of those that cannot be.
#![allow(clippy::unwrap_used)]

mod common;

use common::api::{Answers, list, refusal, serve};
use common::fleet;
use common::program::{kubeconfig, run, said};
use serde_json::{Value, json};

const JOB: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A gateway with a sidecar's worth of trouble behind it, and two operators, one of which leads.
fn answers() -> Answers {
    let mut fleet = fleet(&[]);
    fleet.spec.region = Some("eu-west-1".to_owned());
    fleet.metadata.uid = Some("5e1f".to_owned());
    let pod = |name: &str, namespace: &str| json!({"metadata": {"name": name, "namespace": namespace}, "spec": {"containers": []}});
    let gateway = [
        format!(
            r#"2026-06-01T12:00:03.5Z {{"timestamp":"-","level":"WARN","message":"a list shows it","job":"{JOB}","target":"gateway"}}"#
        ),
        "2026-06-01T12:00:05Z not JSON: \u{1b}[2J".to_owned(),
    ];
    let operator = [
        line(4, &json!({"level": "INFO", "message": "ours", "fleet": "imagenet", "namespace": "vision", "reason": "Launched"})),
        line(1, &json!({"level": "INFO", "message": "another namespace's", "fleet": "imagenet", "namespace": "default"})),
        line(1, &json!({"level": "INFO", "message": "another's", "fleet": "faces", "namespace": "vision"})),
        line(2, &json!({"level": "INFO", "message": "ours too", "span": {"object.ref": "F.v1.dev/imagenet.vision"}})),
        line(2, &json!({"level": "INFO", "message": "another's too", "span": {"object.ref": "F.v1.dev/imagenet.default"}})),
    ];
    vec![
        ("/classifierfleets", 200, list("ClassifierFleetList", &[serde_json::to_value(fleet).unwrap()])),
        ("/pods/imagenet-gateway-0/log?&container=gateway&sinceSeconds=7200", 200, gateway.join("\n")),
        ("/pods/leader/log?&container=operator&", 200, operator.join("\n")),
        ("/pods/waiting/log?&container=operator&", 200, line(6, &json!({"level": "INFO", "message": "another operator leads"}))),
        (
            "/namespaces/vision/pods?&labelSelector=app.kubernetes.io%2Fname%3Dgateway%2Cclassifierfleet.dev%2Ffleet%3Dimagenet",
            200,
            list("PodList", &[pod("imagenet-gateway-0", "vision")]),
        ),
        ("/api/v1/pods?", 200, list("PodList", &[pod("leader", "classifierfleet"), pod("waiting", "classifierfleet")])),
    ]
}

fn line(second: u32, object: &Value) -> String {
    format!("2026-06-01T12:00:0{second}Z {object}")
}

/// `answers` with another one to a path.
fn but(path: &'static str, status: u16, body: String) -> Answers {
    let mut answers = answers();
    answers.insert(0, (path, status, body));
    answers
}

fn logs(answers: Answers, arguments: &[&str]) -> (i32, String, String) {
    let (_folder, kubeconfig) = kubeconfig(&serve(answers));
    said(&run(&[&["logs", "imagenet", "-n", "vision", "--since", "2h", "--kubeconfig", &kubeconfig], arguments].concat(), ""))
}

#[test]
fn lines_of_all_pods_come_in_their_order_and_those_of_other_fleets_do_not() {
    let (code, out, err) = logs(answers(), &[]);
    assert_eq!(code, 0, "{err}");
    let expected = format!(
        "\
2026-06-01T12:00:02.000Z leader INFO  ours too
2026-06-01T12:00:03.500Z imagenet-gateway-0 WARN  a list shows it job={JOB}
2026-06-01T12:00:04.000Z leader INFO  ours fleet=imagenet namespace=vision reason=Launched
2026-06-01T12:00:05.000Z imagenet-gateway-0 not JSON: \\u{{1b}}[2J
2026-06-01T12:00:06.000Z waiting INFO  another operator leads
"
    );
    assert_eq!(out, expected);
}

#[test]
fn where_workers_log_is_said_beside() {
    let (_, out, err) = logs(answers(), &[]);
    assert!(!out.contains("aws "), "{out}");
    let describe = "aws ec2 describe-instances --region eu-west-1 --filters Name=tag:classifierfleet:uid,Values=5e1f ";
    let journal = "'command=[\"sudo journalctl -u classifierfleet-worker --since=-7200s\"]' --target INSTANCE";
    for command in [describe, journal, "aws ec2 get-console-output --region eu-west-1 --latest"] {
        assert!(err.contains(command), "{command}: {err}");
    }
}

#[test]
fn a_job_is_followed_and_programs_read_objects() {
    let (code, out, err) = logs(answers(), &["--job", &JOB.to_uppercase(), "-o", "json"]);
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &object["pod"], &object["job"]), (0, &json!("imagenet-gateway-0"), &json!(JOB)));
    assert!(err.contains(&format!("curl $GATEWAY_URL/v1/images/{JOB}")) && err.contains(&format!("--grep {JOB}")), "{err}");
    let (code, out, _) = logs(answers(), &["-o", "json"]);
    let objects: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let no_json = json!({"message": "not JSON: \u{1b}[2J", "pod": "imagenet-gateway-0", "timestamp": "2026-06-01T12:00:05Z"});
    assert_eq!((code, objects.len(), &objects[3]), (0, 5, &no_json));
    let (code, _, err) = logs(answers(), &["--job", "$(reboot)"]);
    assert!(code == 2 && err.contains("give the `id` of an upload's answer"), "{err}");
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_shown() {
    let forbidden = but("/api/v1/pods?", 403, refusal(403, "pods is forbidden: not yours"));
    let (code, out, err) = logs(forbidden, &[]);
    assert_eq!((code, out.lines().count()), (1, 2), "{out}");
    assert!(
        err.contains("warning: the pods of the operator cannot be listed: pods is forbidden: not yours. Try kubectl logs -n NAMESPACE -l"),
        "{err}"
    );
    let waiting = but("/pods/imagenet-gateway-0/log", 400, refusal(400, "container \"gateway\" is waiting to start: ContainerCreating"));
    let (code, out, err) = logs(waiting, &[]);
    assert_eq!((code, out.lines().count()), (1, 3), "{out}");
    assert!(err.contains("the log of pod imagenet-gateway-0 cannot be read: container \"gateway\" is waiting to start"), "{err}");
    let (code, _, err) = logs(but("/api/v1/pods?", 200, list("PodList", &[])), &[]);
    assert!(code == 1 && err.contains("warning: there is no pod of the operator (kubectl get pods -A -l"), "{err}");
}
