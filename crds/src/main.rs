//! Prints the CRD as YAML: `cargo run --bin crds > crds/classifierfleet.yaml`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let yaml = crds::yaml().map_err(std::io::Error::other)?;
    std::io::stdout().write_all(yaml.as_bytes())
}
