//! Packer's own opinion of the template in deploy/packer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::io::Write as _;
use std::process::{Command, Output};

use xtask::paths::Paths;

fn validate(arguments: &[&str]) -> Option<Output> {
    let template = Paths::discover().unwrap().root.join("deploy/packer/worker.pkr.hcl");
    let output = Command::new("packer").arg("validate").args(arguments).arg(template).output().ok();
    if output.is_none() {
        // Not a macro that prints: the tests' runner would keep it to itself.
        let _ = writeln!(std::io::stderr(), "skipped: packer is not on the PATH");
    }
    output
}

#[test]
fn packer_finds_nothing_wrong() {
    for more in [&["-var", "architecture=arm64"][..], &["-var", "model=/tmp"], &[]] {
        let Some(output) = validate(&[&["-var", "worker=/bin/sh"], more].concat()) else { return };
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        // From 1.7 EC2 is a plugin, which `packer init` installs.
        if said.contains("packer init") {
            assert!(validate(&["-syntax-only"]).unwrap().status.success(), "{said}");
            let _ = writeln!(
                std::io::stderr(),
                "skipped all but the syntax: Packer's plugin for EC2 is not installed (packer init deploy/packer)"
            );
            return;
        }
        assert!(output.status.success(), "{said}");
    }
}

#[test]
fn the_program_must_be_named() {
    let Some(output) = validate(&[]) else { return };
    assert!(!output.status.success());
}
