//! `kubectl-fleet` for krew: an archive for each kind of machine, and the manifest that names them. Must not know how it is built.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::{Release, VERSION, read, sha256};
use crate::archive::{Archive, FILE, PROGRAM, gzip};

/// The program, as it is called in archives, too.
pub(crate) const PLUGIN: &str = "kubectl-fleet";
/// Of the manifest, below the root; krew wants it called as the plugin is.
const TEMPLATE: &str = "deploy/krew/fleet.yaml";

/// What krew downloads.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed {
    name: String,
    sha256: String,
}

impl Release<'_> {
    /// Adds the archive `kubectl-fleet-SUFFIX.tar.gz` of `program` and the licence.
    ///
    /// # Errors
    /// When the program cannot be read, or the archive not be written.
    pub fn plugin(&mut self, program: &Path, suffix: &str) -> Result<Packed> {
        let mut archive = Archive::new(Vec::new(), self.source.seconds());
        archive.file(PLUGIN, PROGRAM, &read(program)?)?;
        archive.file("LICENSE", FILE, &read(&self.paths.root.join("LICENSE"))?)?;
        let name = format!("{PLUGIN}-{suffix}.tar.gz");
        let path = self.write(&name, &gzip(&archive.finish()?)?)?;
        Ok(Packed { name, sha256: sha256(&path)? })
    }

    /// Adds `fleet.yaml`, krew's manifest of `archives`, which will lie at `url`.
    ///
    /// # Errors
    /// When an archive that the manifest names is missing, or the URL is none of HTTPS.
    pub fn krew(&mut self, url: &str, archives: &[Packed]) -> Result<PathBuf> {
        let template = String::from_utf8(read(&self.paths.root.join(TEMPLATE))?)?;
        let manifest = filled(&template, url, archives)?;
        self.write("fleet.yaml", manifest.as_bytes())
    }
}

fn filled(template: &str, url: &str, archives: &[Packed]) -> Result<String> {
    ensure!(url.starts_with("https://"), "--krew-url {url} does not begin with https://");
    // The comment speaks of the template.
    let manifest: String = template.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    let manifest = manifest.replace("@VERSION@", VERSION).replace("@URL@", url.trim_end_matches('/'));
    let manifest =
        archives.iter().fold(manifest, |manifest, Packed { name, sha256 }| manifest.replace(&format!("@SHA256 {name}@"), sha256));
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
    use std::io::Read as _;

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::paths::Paths;
    use crate::release::Source;

    fn packed(suffix: &str, digit: &str) -> Packed {
        Packed { name: format!("kubectl-fleet-{suffix}.tar.gz"), sha256: digit.repeat(64) }
    }

    fn source() -> Source {
        Source { revision: "abc".to_owned(), time: Timestamp::UNIX_EPOCH }
    }

    /// What krew demands of a manifest (internal/index/validation) and its index of one (names, lengths).
    #[test]
    fn the_manifest_is_one_that_krew_takes() {
        let out = tempfile::tempdir().unwrap();
        let (paths, source) = (Paths::discover().unwrap(), source());
        let mut release = Release::new(&paths, &source, out.path()).unwrap();
        let path = release.krew("https://example.com/v1/", &[packed("x86_64", "a"), packed("arm64", "b")]).unwrap();
        let manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
        assert_eq!((&manifest["kind"], manifest["metadata"]["name"].as_str()), (&json!("Plugin"), path.file_stem().unwrap().to_str()));
        let spec = &manifest["spec"];
        assert_eq!(spec["version"], format!("v{VERSION}"));
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
        let fill = |url: &str, archives: &[Packed]| {
            let template = std::fs::read_to_string(Paths::discover().unwrap().root.join(TEMPLATE)).unwrap();
            filled(&template, url, archives).unwrap_err().to_string()
        };
        assert!(fill("https://example.com", &[packed("x86_64", "a")]).contains("kubectl-fleet-arm64.tar.gz, which was not built"));
        assert!(fill("ftp://example.com", &[]).contains("does not begin with https://"));
    }

    #[test]
    fn an_archive_holds_what_krew_takes_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("built");
        std::fs::write(&program, "ELF").unwrap();
        let (paths, source) = (Paths::discover().unwrap(), source());
        let packed = Release::new(&paths, &source, folder.path()).unwrap().plugin(&program, "arm64").unwrap();
        let file = std::fs::File::open(folder.path().join(&packed.name)).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
        let files = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), content.len())
        });
        let licence = std::fs::read(paths.root.join("LICENSE")).unwrap().len();
        assert_eq!(files.collect::<Vec<_>>(), [("kubectl-fleet".into(), PROGRAM, 3), ("LICENSE".into(), FILE, licence)]);
    }
}
