//! What is made of a commit: the same bytes from two checkouts of it, and what others' tools read in them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod readers;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::release::{Release, Source};

/// Those that are shipped, and one kind of machine that they are shipped for.
const PROGRAMS: [&str; 4] = ["classifierfleet-worker", "classifierfleet-operator", "classifierfleet-gateway", "kubectl-fleet"];
const TRIPLE: &str = "x86_64-unknown-linux-musl";

/// A checkout of the commit that is tested, in a folder of its own, and its release.
struct Checkout {
    folder: TempDir,
    paths: Paths,
    source: Source,
}

impl Checkout {
    async fn make(prefix: &str) -> Self {
        let (folder, paths) = (tempfile::Builder::new().prefix(prefix).tempdir().unwrap(), Paths::discover().unwrap());
        let root = folder.path().join("checkout");
        let cloned = Command::new("git").args(["clone", "--quiet", "--shared"]).args([&paths.root, &root]).status().await.unwrap();
        assert!(cloned.success());
        let (source, dev) = (Source::of(&root).await.unwrap(), folder.path().join("dev"));
        Self { paths: Paths { root, dev, ..paths }, source, folder }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Of two kinds of machine, each with a program of its own.
    fn programs(&self) -> [(&'static str, PathBuf); 2] {
        ["amd64", "arm64"].map(|architecture| {
            let path = self.folder.path().join(architecture);
            std::fs::write(&path, format!("a program for {architecture}")).unwrap();
            (architecture, path)
        })
    }

    fn image(&self, release: &mut Release<'_>, name: &str) -> PathBuf {
        let programs = self.programs();
        release.image(name, &programs.each_ref().map(|(architecture, path)| (*architecture, path.as_path()))).unwrap()
    }

    /// All but the programs themselves, which take long to build: `cargo xtask dist --verify` compares those.
    async fn release(&self) -> Vec<PathBuf> {
        let mut release = Release::new(&self.paths, &self.source, &self.out()).unwrap();
        for program in PROGRAMS {
            release.bill(program, program, TRIPLE).await.unwrap();
        }
        for name in ["operator", "gateway"] {
            self.image(&mut release, name);
        }
        let [x86_64, arm64] = self.programs().map(|(_, path)| path);
        let archives = [release.plugin(&x86_64, "x86_64").unwrap(), release.plugin(&arm64, "arm64").unwrap()];
        release.krew("https://example.com/releases/v1", &archives).unwrap();
        release.chart(Progress::quiet()).await.unwrap();
        release.manifests(Progress::quiet()).await.unwrap();
        release.notes().unwrap();
        release.sums().unwrap()
    }
}

fn contents(files: &[PathBuf]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(file).unwrap())).collect()
}

async fn check_sums(out: &Path, files: usize) {
    let output = Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(out).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.success(), said.matches(": OK").count()), (true, files), "{said}");
}

#[tokio::test]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn two_checkouts_of_a_commit_make_the_same_release() {
    let [one, two] = [Checkout::make("one").await, Checkout::make("another-and-longer").await];
    let [first, second] = [contents(&one.release().await), contents(&two.release().await)];
    let names = [
        "RELEASE_NOTES.md",
        "SHA256SUMS",
        "classifier-fleet-VERSION.tgz",
        "classifierfleet-crds.yaml",
        "classifierfleet-gateway-VERSION.oci.tar",
        "classifierfleet-gateway.cdx.json",
        "classifierfleet-operator-VERSION.oci.tar",
        "classifierfleet-operator.cdx.json",
        "classifierfleet-worker.cdx.json",
        "classifierfleet.yaml",
        "fleet.yaml",
        "kubectl-fleet-arm64.tar.gz",
        "kubectl-fleet-x86_64.tar.gz",
        "kubectl-fleet.cdx.json",
    ];
    assert_eq!(first.keys().map(|name| name.replace(xtask::release::VERSION, "VERSION")).collect::<Vec<_>>(), names);
    let differ: Vec<_> = first.iter().filter(|(name, content)| second.get(*name) != Some(content)).map(|(name, _)| name).collect();
    assert_eq!((differ, second.len()), (vec![], first.len()));
    check_sums(&one.out(), names.len() - 1).await;
}
