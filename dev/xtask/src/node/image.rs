//! Container images without a container engine: archives as the OCI's image specification describes them, each of one program. Must not
//! know what the programs do.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

/// By whom the AWS SDK knows AWS, also where it speaks no TLS; as in the images that we ship.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// User and group that containers run as: no name in the image is needed.
const NOBODY: &str = "65532:65532";

/// Writes the image `reference`, a full one with registry and tag, into `folder`, which is made anew. Returns the archive.
///
/// What we ship is one static program. What cargo builds for this machine needs the loader and libraries of this machine: they lie
/// beside it, where it looks for them.
pub(super) async fn write(reference: &str, program: &Path, folder: &Path) -> Result<PathBuf> {
    // Nothing of an image that was not finished may get into this one.
    let _ = fs::remove_dir_all(folder);
    let (root, blobs) = (folder.join("root"), folder.join("layout/blobs/sha256"));
    fs::create_dir_all(&root)?;
    fs::create_dir_all(&blobs)?;
    let name = program.file_name().context("the program of an image has no name")?;
    place(program, &root.join(name))?;
    for file in libraries(program).await?.into_iter().chain([PathBuf::from(AUTHORITIES)]) {
        place(&file, &root.join(file.strip_prefix("/")?))?;
    }
    let layer = folder.join("layer.tar");
    archive(&root, &layer).await?;
    let entrypoint = Path::new("/").join(name);
    let layer = descriptor("application/vnd.oci.image.layer.v1.tar", &layer, &blobs)?;
    lay_out(reference, &entrypoint, &layer, &folder.join("layout"))?;
    let image = folder.join("image.tar");
    archive(&folder.join("layout"), &image).await?;
    Ok(image)
}

/// The configuration, the manifest that names it and the layer, and the index that names the manifest.
fn lay_out(reference: &str, entrypoint: &Path, layer: &Value, layout: &Path) -> Result<()> {
    let blobs = layout.join("blobs/sha256");
    let write = |kind: &str, content: &Value| {
        let file = layout.join("blob");
        fs::write(&file, content.to_string())?;
        descriptor(&format!("application/vnd.oci.image.{kind}.v1+json"), &file, &blobs)
    };
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = write(
        "config",
        &json!({
            "architecture": architecture, "os": "linux", "config": {"Entrypoint": [entrypoint], "User": NOBODY},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }),
    )?;
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let mut manifest = write("manifest", &json!({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}))?;
    manifest["annotations"] = json!({"io.containerd.image.name": reference});
    fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [manifest]}).to_string())?;
    Ok(fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#)?)
}

/// Moves `file` to where it is found by its hash, and tells what it is.
fn descriptor(kind: &str, file: &Path, blobs: &Path) -> Result<Value> {
    let content = fs::read(file)?;
    let (digest, size) = (hex::encode(Sha256::digest(&content)), content.len());
    fs::rename(file, blobs.join(&digest))?;
    Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size}))
}

fn place(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).with_context(|| format!("{} cannot be copied into an image", from.display()))?;
    Ok(())
}

/// The loader and the shared libraries of a program; none of a static one.
async fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().await.context("ldd cannot be run")?;
    Ok(parse_ldd(&String::from_utf8_lossy(&output.stdout)))
}

/// `libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn parse_ldd(text: &str) -> Vec<PathBuf> {
    let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    paths.map(PathBuf::from).collect()
}

/// The same bytes for the same files, whoever owns them and whenever they were made.
async fn archive(folder: &Path, to: &Path) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args(["--create", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--file"]);
    let output = tar.arg(to).arg("--directory").arg(folder).arg(".").output().await.context("tar cannot be run")?;
    ensure!(output.status.success(), "tar: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_image_names_what_it_holds_by_hash_and_is_the_same_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let images = ["one", "two"].map(|name| folder.path().join(name));
        for image in &images {
            assert_eq!(write("docker.io/library/test:1", &program, image).await.unwrap(), image.join("image.tar"));
        }
        let [one, two] = images.map(|image| fs::read(image.join("layout/index.json")).unwrap());
        assert_eq!(one, two);
        let index: Value = serde_json::from_slice(&one).unwrap();
        let manifest = read(&folder.path().join("one"), &index["manifests"][0]);
        let config = read(&folder.path().join("one"), &manifest["config"]);
        assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
        let loader = parse_ldd(" linux-vdso.so.1 (0x1)\n libm.so.6 => /lib/libm.so.6 (0x2)\n /lib64/ld.so (0x3)\n statically linked\n");
        assert_eq!(loader, [Path::new("/lib/libm.so.6"), Path::new("/lib64/ld.so")]);
    }

    fn read(image: &Path, descriptor: &Value) -> Value {
        let digest = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = fs::read(image.join("layout/blobs/sha256").join(digest)).unwrap();
        assert_eq!((bytes.len() as u64, hex::encode(Sha256::digest(&bytes)).as_str()), (descriptor["size"].as_u64().unwrap(), digest));
        serde_json::from_slice(&bytes).unwrap()
    }
}
