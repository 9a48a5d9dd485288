//! The program as the shell sees it: what it prints where, and its exit code.
#![allow(clippy::unwrap_used)]

mod common;

use common::program::{kubeconfig, run, said};
use common::{EXAMPLE, decided, fleet, inputs};

#[test]
fn a_fleet_from_a_pipe_is_foreseen() {
    let (code, out, err) = said(&run(&["explain", "-f", "-", "--backlog", "300", "--workers", "4"], EXAMPLE));
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("imagenet: 5 workers would be wanted, 4 before."), "{out}");
    assert!(!out.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn a_saved_fleet_is_explained_and_a_decision_that_does_not_hold_is_a_failure() {
    let mut saved = decided(fleet(&[]), &inputs(300, 2));
    let json = |fleet: &crds::ClassifierFleet| serde_json::to_string(fleet).unwrap();
    let (code, out, err) = said(&run(&["explain", "-f", "-"], &json(&saved)));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("it agrees"), "{out}");
    saved.spec.workers.max = 4;
    let (code, out, _) = said(&run(&["explain", "-f", "-"], &json(&saved)));
    assert_eq!(code, 1);
    assert!(out.contains("it does not agree"), "{out}");
    let (code, out, _) = said(&run(&["explain", "-f", "-", "-o", "yaml"], &json(&saved)));
    assert_eq!(code, 1);
    let yaml: serde_json::Value = serde_saphyr::from_str(&out).unwrap();
    assert_eq!((&yaml["desired"], &yaml["recomputed"]["desired"]), (&5.into(), &4.into()));
}

#[test]
fn several_fleets_are_a_list() {
    let both = format!("{EXAMPLE}---\n{}", EXAMPLE.replace("name: imagenet\n", "name: faces\n"));
    let (code, out, _) = said(&run(&["explain", "-f", "-", "--backlog", "1", "-o", "json"], &both));
    let list: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!((code, list.len(), &list[1]["name"]), (0, 2, &"faces".into()));
}

#[test]
fn wrong_questions_are_answered_with_what_to_ask() {
    let table: [(&[&str], &str, &str); 7] = [
        (&["explain", "-f", "-"], EXAMPLE, "--backlog 300"),
        (&["explain", "-f", "-", "--backlog", "1"], "kind: Service", "holds no ClassifierFleet, but Service"),
        (&["explain", "-f", "/no/such.yaml"], "", "/no/such.yaml cannot be read: No such file"),
        (&["explain"], "", "<NAME|--file <FILE>>"),
        (&["explain", "x", "-f", "-"], "", "cannot be used with"),
        (&["explain", "imagenet", "--backlog", "3"], "", "give the fleet as a file (-f FILE), not by name"),
        (&["explain", "-f", "-", "--backlog", "3", "--boot", "soon"], EXAMPLE, "give a time such as 20s"),
    ];
    for (arguments, stdin, sentence) in table {
        let (code, out, err) = said(&run(arguments, stdin));
        assert!(code != 0 && out.is_empty() && err.contains(sentence), "{arguments:?}: {code} {out} {err}");
    }
}

#[test]
fn a_cluster_that_is_not_there_is_named() {
    // Port 1 of loopback refuses: nothing listens there.
    let (_folder, kubeconfig) = kubeconfig("http://127.0.0.1:1");
    for command in ["explain", "status", "logs"] {
        let (code, _, err) = said(&run(&[command, "imagenet", "--kubeconfig", &kubeconfig], ""));
        assert_eq!(code, 1);
        assert!(err.contains("the API server at http://127.0.0.1:1 does not answer: Connection refused"), "{err}");
    }
    let (code, _, err) = said(&run(&["status", "--kubeconfig", &kubeconfig, "--context", "other"], ""));
    assert!(code == 1 && err.contains("no cluster is configured") && err.contains("other"), "{err}");
}

#[test]
fn help_speaks_as_kubectl_does() {
    let (code, out, _) = said(&run(&["explain", "--help"], ""));
    assert_eq!(code, 0);
    assert!(out.contains("Usage: kubectl fleet explain") && out.contains("kubectl fleet explain -f fleet.yaml --backlog 300"), "{out}");
}
