//! Container images without a container engine: archives as the OCI's image specification describes them, of files in one layer.
//! Must not know what the programs in them do.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

use crate::archive::{Archive, FILE, PROGRAM, gzip};

/// The program in every image.
pub(crate) const ENTRYPOINT: &str = "/classifierfleet";
/// User and group that containers run as. A number: Kubernetes cannot tell whether a name is root's.
pub(crate) const USER: &str = "65532:65532";
/// Where programs look for the certificate authorities by which they know AWS.
pub(crate) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image.
pub(crate) struct Image {
    /// Its full name: registry, repository and tag.
    pub(crate) reference: String,
    pub(crate) labels: BTreeMap<&'static str, String>,
    /// When it was made, in seconds since 1970: of all its files, too.
    pub(crate) time: u64,
    /// Whether its layers are worth compressing: they are to be downloaded.
    pub(crate) compressed: bool,
    /// One for each kind of machine.
    pub(crate) platforms: Vec<Platform>,
}

/// What an image holds on one kind of machine.
pub(crate) struct Platform {
    /// As Go calls it: amd64, arm64.
    pub(crate) architecture: &'static str,
    pub(crate) program: Vec<u8>,
    /// Libraries that a program needs which is not static: where they lie, and what they hold.
    pub(crate) libraries: Vec<(String, Vec<u8>)>,
}

/// Mozilla's certificate authorities, as the locked version of `webpki-root-certs` has them: the same wherever an image is made.
pub(crate) fn authorities() -> String {
    let lines = |text: &str| text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect::<String>();
    let certificate =
        |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines(&BASE64_STANDARD.encode(der)));
    TLS_SERVER_ROOT_CERTS.iter().map(|der| certificate(der)).collect()
}

/// Writes the archive of `image` to `path`.
pub(crate) fn write(image: &Image, path: &Path) -> Result<()> {
    let mut layout = Layout::default();
    let manifests = image.platforms.iter().map(|platform| layout.manifest(image, platform)).collect::<Result<Vec<_>>>()?;
    let mut top = match manifests.as_slice() {
        [only] => only.clone(),
        _ => layout.json(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests})),
    };
    let (_, tag) = image.reference.rsplit_once(':').with_context(|| format!("the image {} has no tag", image.reference))?;
    top["annotations"] = json!({"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": image.reference});
    layout.write(&top, image.time, path).with_context(|| format!("{} cannot be written", path.display()))
}

/// What is found by its hash.
#[derive(Default)]
struct Layout(BTreeMap<String, Vec<u8>>);

impl Layout {
    /// The layer, the configuration, and the manifest that names both.
    fn manifest(&mut self, image: &Image, platform: &Platform) -> Result<Value> {
        let tar = layer(platform, image.time)?;
        let diff_id = digest(&tar);
        let layer = if image.compressed { self.blob(&format!("{LAYER}+gzip"), gzip(&tar)?) } else { self.blob(LAYER, tar) };
        let config = json!({
            "created": jiff::Timestamp::from_second(i64::try_from(image.time)?)?, "architecture": platform.architecture, "os": "linux",
            "config": {"Entrypoint": [ENTRYPOINT], "User": USER, "Labels": image.labels},
            "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        });
        let config = self.json(CONFIG, &config);
        let mut manifest = self.json(MANIFEST, &json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}));
        manifest["platform"] = json!({"architecture": platform.architecture, "os": "linux"});
        Ok(manifest)
    }

    fn json(&mut self, kind: &str, content: &Value) -> Value {
        self.blob(kind, content.to_string().into_bytes())
    }

    /// Keeps `content`; returns what it is and where it is found.
    fn blob(&mut self, kind: &str, content: Vec<u8>) -> Value {
        let (digest, size) = (digest(&content), content.len());
        self.0.insert(digest.clone(), content);
        json!({"mediaType": kind, "digest": digest, "size": size})
    }

    fn write(self, top: &Value, time: u64, path: &Path) -> Result<()> {
        let mut archive = Archive::new(BufWriter::new(File::create(path)?), time);
        archive.file("oci-layout", FILE, br#"{"imageLayoutVersion": "1.0.0"}"#)?;
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]});
        archive.file("index.json", FILE, index.to_string().as_bytes())?;
        for (digest, content) in &self.0 {
            archive.file(format!("blobs/{}", digest.replace(':', "/")), FILE, content)?;
        }
        archive.finish()?.into_inner()?.sync_all()?;
        Ok(())
    }
}

fn layer(platform: &Platform, time: u64) -> Result<Vec<u8>> {
    let mut archive = Archive::new(Vec::new(), time);
    archive.file(ENTRYPOINT.trim_start_matches('/'), PROGRAM, &platform.program)?;
    archive.file(AUTHORITIES.trim_start_matches('/'), FILE, authorities().as_bytes())?;
    for (path, content) in &platform.libraries {
        archive.file(path.trim_start_matches('/'), PROGRAM, content)?;
    }
    archive.finish()
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn platform(architecture: &'static str) -> Platform {
        Platform { architecture, program: architecture.as_bytes().to_vec(), libraries: vec![("/lib/ld.so".to_owned(), b"loader".to_vec())] }
    }

    fn image(platforms: Vec<Platform>, compressed: bool) -> Image {
        let labels = [("org.opencontainers.image.title", "test".to_owned())].into();
        Image { reference: "docker.io/library/test:1".to_owned(), labels, time: 1, compressed, platforms }
    }

    fn written(image: &Image) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        write(image, &path).unwrap();
        std::fs::read(path).unwrap()
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), content)
        });
        entries.collect()
    }

    /// What a descriptor names.
    fn read(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Vec<u8> {
        let content = &files[&format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))];
        assert_eq!((descriptor["size"].as_u64(), &descriptor["digest"]), (Some(content.len() as u64), &json!(digest(content))));
        content.clone()
    }

    fn parsed(files: &BTreeMap<String, Vec<u8>>, descriptor: &Value) -> Value {
        serde_json::from_slice(&read(files, descriptor)).unwrap()
    }

    #[test]
    fn an_image_names_what_it_holds_by_hash_and_is_the_same_each_time() {
        let archive = written(&image(vec![platform("amd64")], false));
        assert_eq!(archive, written(&image(vec![platform("amd64")], false)));
        let files = files(&archive);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let manifest = parsed(&files, &index["manifests"][0]);
        let config = parsed(&files, &manifest["config"]);
        let layer = read(&files, &manifest["layers"][0]);
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&layer));
        assert_eq!(config["config"]["User"], "65532:65532");
        let names: Vec<String> = super::tests::files(&layer).into_keys().collect();
        assert_eq!(names, ["classifierfleet", "etc/ssl/certs/ca-certificates.crt", "lib/ld.so"]);
    }

    #[test]
    fn an_image_for_two_kinds_of_machine_has_a_manifest_for_each() {
        let files = files(&written(&image(vec![platform("amd64"), platform("arm64")], true)));
        let top: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        assert_eq!((&top["manifests"][0]["mediaType"], top["manifests"].as_array().unwrap().len()), (&json!(INDEX), 1));
        let index = parsed(&files, &top["manifests"][0]);
        for (place, architecture) in ["amd64", "arm64"].into_iter().enumerate() {
            assert_eq!(index["manifests"][place]["platform"], json!({"architecture": architecture, "os": "linux"}));
            let manifest = parsed(&files, &index["manifests"][place]);
            let mut layer = Vec::new();
            flate2::read::GzDecoder::new(&*read(&files, &manifest["layers"][0])).read_to_end(&mut layer).unwrap();
            assert_eq!(parsed(&files, &manifest["config"])["rootfs"]["diff_ids"][0], digest(&layer));
            assert_eq!(super::tests::files(&layer)["classifierfleet"], architecture.as_bytes());
        }
    }

    #[test]
    fn the_authorities_are_certificates_that_aws_is_known_by() {
        let authorities = authorities();
        assert!(authorities.matches("BEGIN CERTIFICATE").count() > 100);
        assert!(authorities.lines().all(|line| line.len() <= 64));
        let amazon = b"Amazon Root CA 1";
        assert!(TLS_SERVER_ROOT_CERTS.iter().any(|der| der.windows(amazon.len()).any(|part| part == amazon)));
    }
}
