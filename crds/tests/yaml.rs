//! The committed CRD is the one that the types make.
#![allow(clippy::unwrap_used)]

#[test]
fn the_committed_yaml_is_up_to_date() {
    let path = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/classifierfleet.yaml";
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == crds::yaml().unwrap(), "crds/classifierfleet.yaml differs: cargo run --bin crds > crds/classifierfleet.yaml");
}
