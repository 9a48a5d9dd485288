//! What only tests need asks nothing of what is shipped: a feature more, and the crate with all that builds on it would be compiled
//! twice, once for the programs and once for the tests.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::process::Command;

/// Crates with their features, as cargo resolves them along these kinds of edges.
fn crates(edges: &str) -> BTreeSet<String> {
    let args = ["tree", "--workspace", "--offline", "--prefix", "none", "--format", "{p} features: {f}", "--edges", edges];
    let output = Command::new(env!("CARGO")).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
}

#[test]
fn tests_compile_no_dependency_a_second_time() {
    let (shipped, tested) = (crates("normal,build"), crates("normal,build,dev"));
    assert!(shipped.len() > 100, "{}", shipped.len());
    let other: Vec<&String> = shipped.difference(&tested).collect();
    assert!(other.is_empty(), "for tests these have more features, by some dev-dependency's wish: {other:#?}");
}
