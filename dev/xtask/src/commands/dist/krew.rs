//! `kubectl-fleet` for krew: an archive for each kind of machine, and the manifest that names them. Knows nothing of how it is built.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

/// Of the manifest, below the root; krew wants it called as the plugin is.
const TEMPLATE: &str = "deploy/krew/fleet.yaml";

/// What krew downloads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Archive {
    name: String,
    sha256: String,
}

/// Packs `program` and `licence` into `out`. The same files make the same archive, bit for bit.
pub(super) async fn pack(program: &Path, licence: &Path, out: &Path, suffix: &str) -> Result<Archive> {
    let name = format!("kubectl-fleet-{suffix}.tar.gz");
    let path = out.join(&name);
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=ustar", "--use-compress-program=gzip -9n", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.args(["--mode=u=rwX,go=rX", "--file"]).arg(&path).kill_on_drop(true);
    for file in [program, licence] {
        let (folder, file) = file.parent().zip(file.file_name()).with_context(|| format!("{} is no file", file.display()))?;
        tar.arg("--directory").arg(folder).arg(file);
    }
    ensure!(tar.status().await.context("tar cannot be run")?.success(), "{} cannot be written", path.display());
    let sha256 = hex::encode(Sha256::digest(std::fs::read(&path)?));
    std::fs::write(out.join(format!("{name}.sha256")), format!("{sha256}  {name}\n"))?;
    Ok(Archive { name, sha256 })
}

/// Writes the manifest of `archives`, which will lie at `url`, into `out`.
pub(super) fn publish(root: &Path, out: &Path, url: &str, archives: &[Archive]) -> Result<PathBuf> {
    let template = root.join(TEMPLATE);
    let template = std::fs::read_to_string(&template).with_context(|| format!("cannot read {}", template.display()))?;
    let path = out.join("fleet.yaml");
    std::fs::write(&path, filled(&template, url, archives)?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn filled(template: &str, url: &str, archives: &[Archive]) -> Result<String> {
    ensure!(url.starts_with("https://"), "--krew-url {url} does not begin with https://");
    // The comment speaks of the template.
    let manifest: String = template.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let manifest = manifest.replace("@VERSION@", env!("CARGO_PKG_VERSION")).replace("@URL@", url.trim_end_matches('/'));
    let manifest =
        archives.iter().fold(manifest, |manifest, Archive { name, sha256 }| manifest.replace(&format!("@SHA256 {name}@"), sha256));
    let missing = manifest.split('@').find_map(|part| part.strip_prefix("SHA256 "));
    ensure!(
        missing.is_none(),
        "the manifest names {}, which was not built: --program kubectl-fleet, and both static targets",
        missing.unwrap_or_default()
    );
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::paths::Paths;

    fn archive(suffix: &str, digit: &str) -> Archive {
        Archive { name: format!("kubectl-fleet-{suffix}.tar.gz"), sha256: digit.repeat(64) }
    }

    /// What krew demands of a manifest (internal/index/validation) and its index of one (names, lengths).
    #[test]
    fn the_manifest_is_one_that_krew_takes() {
        let out = tempfile::tempdir().unwrap();
        let root = Paths::discover().unwrap().root;
        let archives = [archive("x86_64", "a"), archive("arm64", "b")];
        let path = publish(&root, out.path(), "https://example.com/v1/", &archives).unwrap();
        let manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
        assert_eq!((&manifest["kind"], manifest["metadata"]["name"].as_str()), (&json!("Plugin"), path.file_stem().unwrap().to_str()));
        let spec = &manifest["spec"];
        assert_eq!(spec["version"], concat!("v", env!("CARGO_PKG_VERSION")));
        let short = spec["shortDescription"].as_str().unwrap();
        assert!(short.len() <= 50 && !short.contains('\n') && !short.ends_with('.'), "{short}");
        let platform = |arch: &str, suffix: &str, digit: &str| {
            json!({
                "selector": {"matchLabels": {"os": "linux", "arch": arch}},
                "uri": format!("https://example.com/v1/kubectl-fleet-{suffix}.tar.gz"),
                "sha256": digit.repeat(64), "bin": "kubectl-fleet",
                "files": [{"from": "kubectl-fleet", "to": "."}, {"from": "LICENSE", "to": "."}],
            })
        };
        assert_eq!(spec["platforms"], json!([platform("amd64", "x86_64", "a"), platform("arm64", "arm64", "b")]));
    }

    #[test]
    fn a_manifest_is_whole_or_not_written() {
        let fill = |url: &str, archives: &[Archive]| {
            let template = std::fs::read_to_string(Paths::discover().unwrap().root.join(TEMPLATE)).unwrap();
            filled(&template, url, archives).unwrap_err().to_string()
        };
        assert!(fill("https://example.com", &[archive("x86_64", "a")]).contains("kubectl-fleet-arm64.tar.gz, which was not built"));
        assert!(fill("ftp://example.com", &[]).contains("does not begin with https://"));
    }

    #[tokio::test]
    async fn the_same_files_make_the_same_archive() {
        let folder = tempfile::tempdir().unwrap();
        let (program, licence) = (folder.path().join("kubectl-fleet"), folder.path().join("LICENSE"));
        std::fs::write(&licence, "Apache").unwrap();
        let mut packed = Vec::new();
        for age in [0, 1] {
            std::fs::write(&program, "ELF").unwrap();
            let modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(age);
            std::fs::File::options().append(true).open(&program).unwrap().set_modified(modified).unwrap();
            packed.push(pack(&program, &licence, folder.path(), "arm64").await.unwrap());
        }
        assert_eq!(packed[0], packed[1]);
        let listed = Command::new("tar").args(["--list", "--file"]).arg(folder.path().join(&packed[0].name)).output().await.unwrap();
        assert_eq!(String::from_utf8(listed.stdout).unwrap(), "kubectl-fleet\nLICENSE\n");
    }
}
