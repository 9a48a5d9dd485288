//! Parts of a release as those read them for whom they are made: skopeo, CycloneDX's schema, Helm, kubectl.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::process::Command;
use xtask::helm::Helm;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::release::{Release, VERSION};
use xtask::tools;

use crate::support::or_skip;
use crate::{Checkout, PROGRAMS, TRIPLE};

async fn output(command: &mut Command) -> String {
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Skopeo has what others read images with: it checks each hash of what it copies.
#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn skopeo_takes_an_image_for_each_kind_of_machine() {
    let checkout = Checkout::make("images").await;
    let (paths, out) = (checkout.paths.clone(), checkout.out());
    let Some(_) = or_skip("images, by skopeo", tools::skopeo(&paths, Progress::quiet()).await) else { return };
    let skopeo = async |args: &[&str]| {
        let mut skopeo = tools::skopeo(&paths, Progress::quiet()).await.unwrap();
        output(skopeo.arg("--insecure-policy").args(args)).await
    };
    let mut release = Release::new(&paths, &checkout.source, &out).unwrap();
    let image = format!("oci-archive:{}", checkout.image(&mut release, "gateway").display());
    for architecture in ["amd64", "arm64"] {
        let about = skopeo(&["--override-arch", architecture, "inspect", &image]).await;
        let about: Value = serde_json::from_str(&about).unwrap();
        assert_eq!((&about["Architecture"], &about["Os"]), (&json!(architecture), &json!("linux")));
        assert_eq!(about["Labels"]["org.opencontainers.image.version"], VERSION);
        assert_eq!(about["Labels"]["org.opencontainers.image.revision"], checkout.source.revision);
        let config = skopeo(&["--override-arch", architecture, "inspect", "--config", &image]).await;
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["config"]["Entrypoint"], json!(["/classifierfleet"]));
        assert_eq!(config["config"]["User"], "65532:65532");
    }
    let copy = out.join("copy");
    skopeo(&["copy", "--all", &image, &format!("dir:{}", copy.display())]).await;
    let manifest: Value = serde_json::from_slice(&std::fs::read(copy.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["manifests"].as_array().unwrap().len(), 2);
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn bills_of_materials_are_cyclonedx_and_name_what_is_linked() {
    let checkout = Checkout::make("bills").await;
    let mut release = Release::new(&checkout.paths, &checkout.source, &checkout.out()).unwrap();
    for program in PROGRAMS {
        release.bill(program, program, TRIPLE).await.unwrap();
    }
    let schemas = tools::cyclonedx_schemas(&checkout.paths).await.unwrap();
    let mut python = Command::new(tools::python(&checkout.paths, Progress::quiet()).await.unwrap().join("bin/python"));
    // This script, whatever is committed of it.
    let script = Paths::discover().unwrap().root.join("dev/xtask/tests/release/cyclonedx.py");
    output(python.arg("-B").arg(script).arg(schemas).args(release.files())).await;
    // What each is made of is known: one thing that is in it, and one that is not.
    let table =
        [("tract-core", "kube-client"), ("aws-sdk-ec2", "tract-core"), ("aws-sdk-sqs", "aws-sdk-ec2"), ("kube-client", "tract-core")];
    for ((program, file), (linked, foreign)) in PROGRAMS.into_iter().zip(release.files()).zip(table) {
        let bill: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(bill["metadata"]["component"]["name"], program);
        let components = bill["components"].as_array().unwrap();
        let names: BTreeSet<&str> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
        assert!(names.contains(linked) && !names.contains(foreign) && !names.contains("proptest"), "{program}: {names:?}");
        let is_of_others = |component: &&Value| !component["purl"].is_null();
        let bare = components.iter().filter(is_of_others).filter(|component| component["hashes"].is_null());
        assert_eq!(bare.count(), 0, "each crate of others has the hash that Cargo.lock has of it");
    }
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn the_chart_packed_is_the_chart_and_the_manifests_are_the_kustomize_base() {
    let checkout = Checkout::make("chart").await;
    let mut release = Release::new(&checkout.paths, &checkout.source, &checkout.out()).unwrap();
    release.chart(Progress::quiet()).await.unwrap();
    release.manifests(Progress::quiet()).await.unwrap();
    let [package, crds, all] = [0, 1, 2].map(|place| release.files()[place].display().to_string());
    let helm = Helm::ensure(&checkout.paths, Progress::quiet()).await.unwrap();
    let rendered = helm.run(&["template", "a", &package, "--namespace", "b", "--kube-version=1.34.0"]).await.unwrap();
    assert!(rendered == helm.template("a", "b", &[]).await.unwrap(), "the package renders otherwise than the chart");
    let kinds = |file: &str| {
        let objects: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap();
        objects.into_iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(kinds(&crds), BTreeSet::from(["CustomResourceDefinition".to_owned()]));
    let wanted = ["CustomResourceDefinition", "Deployment", "Namespace", "ServiceAccount", "ClusterRole"].map(str::to_owned);
    assert!(kinds(&all).is_superset(&wanted.into()), "{:?}", kinds(&all));
}
