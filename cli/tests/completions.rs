//! What Tab makes of half a command line, under kubectl and in a shell.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;

use common::api::{list, serve};
use common::fleet;
use common::program::{kubeconfig, run, said};

/// The answer to kubectl when this was typed.
fn completed(words: &[&str]) -> String {
    let (code, out, err) = said(&run(&[&["__complete"], words].concat(), ""));
    assert_eq!((code, err.as_str()), (0, ""));
    out
}

#[test]
fn kubectl_is_told_commands_options_and_values() {
    let commands = completed(&[""]);
    assert!(commands.starts_with("explain\tWhy a fleet has as many workers as it has"), "{commands}");
    assert!(commands.ends_with("\n:4\n") && !commands.contains("__complete") && !commands.contains("--"), "{commands}");
    assert_eq!(completed(&["explain", "-o", "j"]), "json\tFor programs\n:4\n");
    let options = completed(&["explain", "--bo"]);
    let options: Vec<&str> = options.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(options, ["--boot", "--boot-warm", ":4"]);
    assert_eq!(completed(&["no-such", "x"]), ":4\n");
}

#[test]
fn folders_go_on_without_a_space() {
    assert_eq!(completed(&["explain", "-f", "tes"]), "tests/\n:6\n");
}

#[test]
fn names_are_those_of_the_cluster_that_was_typed() {
    let fleets = list("ClassifierFleetList", &[serde_json::to_value(fleet(&[])).unwrap()]);
    let (_folder, kubeconfig) = kubeconfig(&serve(vec![("/namespaces/vision/classifierfleets?", 200, fleets)]));
    for command in ["explain", "doctor", "status", "logs"] {
        assert_eq!(completed(&[command, "-n", "vision", "--kubeconfig", &kubeconfig, "im"]), "imagenet\n:4\n");
        assert_eq!(completed(&[command, "-n", "default", "--kubeconfig", &kubeconfig, "im"]), ":4\n");
    }
}

#[test]
fn the_script_for_kubectl_asks_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("kubectl_complete-fleet");
    std::fs::write(&script, said(&run(&["completions", "kubectl"], "")).1).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kubectl-fleet")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh").arg(script).args(["logs", "--jo"]).env("PATH", path).output().unwrap();
    let (code, out, err) = said(&output);
    assert!(code == 0 && out.starts_with("--job\t") && out.ends_with("\n:4\n"), "{out} {err}");
}

#[test]
fn bash_completes_the_program_itself() {
    let ask = r#"source /dev/stdin; COMP_WORDS=(kubectl-fleet ex); COMP_CWORD=1
        $(complete -p kubectl-fleet | grep -o -- '-F [^ ]*' | cut -c4-) kubectl-fleet ex kubectl-fleet; echo "${COMPREPLY[@]}""#;
    let script = run(&["completions", "bash"], "").stdout;
    assert!(!String::from_utf8(script.clone()).unwrap().contains("__complete"), "it is not for people");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    std::fs::write(&file, script).unwrap();
    let output = Command::new("bash").args(["-c", ask]).stdin(std::fs::File::open(file).unwrap()).output().unwrap();
    assert_eq!(said(&output), (0, "explain\n".to_owned(), String::new()));
}

#[test]
fn there_is_a_script_for_each_shell() {
    for (shell, mark) in [
        ("zsh", "#compdef kubectl-fleet"),
        ("fish", "complete -c kubectl-fleet"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let (code, out, _) = said(&run(&["completions", shell], ""));
        assert!(code == 0 && out.contains(mark), "{shell}: {out}");
    }
}
