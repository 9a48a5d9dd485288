//! The bill of materials of a program: which crates are linked into it, in CycloneDX 1.6. Knows nothing of how it is built.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use super::{Release, read};

/// As much as we need of what `cargo metadata` tells.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    /// None: it is ours.
    source: Option<String>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// `dev`, `build`; none: what the program itself is made of.
    kind: Option<String>,
}

impl Release<'_> {
    /// Adds `FILE.cdx.json`, the bill of `program` as it is built for `triple`, Rust's name of a kind of machine.
    ///
    /// # Errors
    /// When cargo cannot tell the dependencies, or no package has this program.
    pub async fn bill(&mut self, file: &str, program: &str, triple: &str) -> Result<()> {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform", triple]);
        let output = cargo.current_dir(&self.paths.root).kill_on_drop(true).output().await.context("cargo cannot be run")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata told what is not understood")?;
        let lock = String::from_utf8(read(&self.paths.root.join("Cargo.lock"))?)?;
        let bill = bill(&metadata, &checksums(&lock), program).with_context(|| format!("no package has the program {program}"))?;
        let bill = with_time(bill, self.source.time);
        self.write(&format!("{file}.cdx.json"), format!("{bill:#}\n").as_bytes()).map(drop)
    }
}

fn with_time(mut bill: Value, time: jiff::Timestamp) -> Value {
    bill["metadata"]["timestamp"] = json!(time);
    bill
}

fn bill(metadata: &Metadata, checksums: &BTreeMap<(String, String), String>, program: &str) -> Option<Value> {
    let has_program = |package: &&Package| package.targets.iter().any(|target| target.name == program && target.kind == ["bin"]);
    let top = metadata.packages.iter().find(has_program)?;
    let packages: BTreeMap<&str, &Package> = metadata.packages.iter().map(|package| (package.id.as_str(), package)).collect();
    let linked = linked(metadata, &packages, &top.id);
    let components = linked.keys().filter(|id| **id != top.id).map(|id| component(packages[id], checksums, "library"));
    let dependency = |(id, on): (&&str, &BTreeSet<&str>)| {
        let on: Vec<String> = on.iter().map(|id| reference(packages[id])).collect();
        json!({"ref": reference(packages[id]), "dependsOn": on})
    };
    let mut subject = component(top, checksums, "application");
    subject["name"] = json!(program);
    Some(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": subject},
        "components": components.collect::<Vec<_>>(),
        "dependencies": linked.iter().map(dependency).collect::<Vec<_>>(),
    }))
}

/// Each package whose code is in the program, with those that it uses itself. What runs while compiling is in none.
fn linked<'a>(metadata: &'a Metadata, packages: &BTreeMap<&str, &Package>, top: &'a str) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let is_linked = |dependency: &&Dependency| {
        let runs_in_compiler = packages[dependency.pkg.as_str()].targets.iter().any(|target| target.kind == ["proc-macro"]);
        !runs_in_compiler && dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
    };
    let (mut found, mut next) = (BTreeMap::new(), vec![top]);
    while let Some(id) = next.pop() {
        let on: BTreeSet<&str> = nodes[id].deps.iter().filter(is_linked).map(|dependency| dependency.pkg.as_str()).collect();
        next.extend(on.iter().copied().filter(|id| !found.contains_key(id)));
        found.insert(id, on);
    }
    found
}

fn component(package: &Package, checksums: &BTreeMap<(String, String), String>, kind: &str) -> Value {
    let Package { name, version, license, repository, source, .. } = package;
    let mut component = json!({"type": kind, "bom-ref": reference(package), "name": name, "version": version});
    // A crate of ours would be taken for another one of that name on crates.io.
    if source.is_some() {
        component["purl"] = json!(reference(package));
    }
    if let Some(license) = license {
        // As it was written before Cargo knew SPDX.
        let expression = license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if let Some(checksum) = checksums.get(&(name.clone(), version.clone())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(repository) = repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

fn reference(package: &Package) -> String {
    let place = if package.source.is_some() { "pkg:cargo/" } else { "classifierfleet:" };
    format!("{place}{}@{}", package.name, package.version)
}

/// The SHA-256 of each crate, by name and version, as `Cargo.lock` has them.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |package: &str, name: &str| {
        let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        Some(value?.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages.filter_map(|package| Some(((field(package, "name")?, field(package, "version")?), field(package, "checksum")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, kind: &str, source: Option<&str>) -> Value {
        let license = if source.is_some() { "MIT/Apache-2.0" } else { "Apache-2.0" };
        let targets = json!([{"name": format!("{name}-program"), "kind": [kind]}]);
        let repository = source.map(|_| "https://example.com");
        json!({"id": name, "name": name, "version": "1.0.0", "license": license, "repository": repository, "source": source, "targets": targets})
    }

    fn metadata() -> Metadata {
        let on = |name: &str, kind: Option<&str>| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let node = |name: &str, deps: Value| json!({"id": name, "deps": deps});
        let metadata = json!({
            "packages": [
                package("ours", "bin", None), package("linked", "lib", Some("registry")), package("derive", "proc-macro", Some("registry")),
                package("cc", "lib", Some("registry")), package("quote", "lib", Some("registry")),
            ],
            "resolve": {"nodes": [
                node("ours", json!([on("linked", None), on("derive", None), on("cc", Some("build"))])),
                node("linked", json!([on("cc", Some("dev"))])), node("derive", json!([on("quote", None)])),
                node("cc", json!([])), node("quote", json!([])),
            ]},
        });
        serde_json::from_value(metadata).unwrap()
    }

    #[test]
    fn what_is_linked_is_billed_and_what_runs_while_compiling_is_not() {
        let lock = "[[package]]\nname = \"linked\"\nversion = \"1.0.0\"\nchecksum = \"abc\"\ndependencies = [\n \"cc\",\n]\n";
        let bill = bill(&metadata(), &checksums(lock), "ours-program").unwrap();
        let subject = json!({
            "type": "application", "bom-ref": "classifierfleet:ours@1.0.0", "name": "ours-program", "version": "1.0.0",
            "licenses": [{"expression": "Apache-2.0"}],
        });
        assert_eq!(bill["metadata"]["component"], subject);
        let linked = json!({
            "type": "library", "bom-ref": "pkg:cargo/linked@1.0.0", "name": "linked", "version": "1.0.0", "purl": "pkg:cargo/linked@1.0.0",
            "licenses": [{"expression": "MIT OR Apache-2.0"}], "hashes": [{"alg": "SHA-256", "content": "abc"}],
            "externalReferences": [{"type": "vcs", "url": "https://example.com"}],
        });
        assert_eq!(bill["components"], json!([linked]));
        let dependencies = json!([
            {"ref": "pkg:cargo/linked@1.0.0", "dependsOn": []},
            {"ref": "classifierfleet:ours@1.0.0", "dependsOn": ["pkg:cargo/linked@1.0.0"]},
        ]);
        assert_eq!(bill["dependencies"], dependencies);
    }

    #[test]
    fn a_program_that_nobody_has_has_no_bill() {
        assert_eq!(bill(&metadata(), &BTreeMap::new(), "linked-program"), None);
    }
}
