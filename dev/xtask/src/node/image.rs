//! Images of what cargo built for this machine, for its node. What we ship is one static program; these need the loader and libraries of
//! this machine, which lie beside the program, where it looks for them. Must not know what the programs do.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::oci::{self, Image, Platform};

/// Writes the image `reference`, a full name with registry and tag, of `program` to `path`.
pub(super) async fn write(reference: &str, program: &Path, path: &Path) -> Result<()> {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let libraries = libraries(program).await?.into_iter().map(|library| Ok((library.display().to_string(), read(&library)?)));
    let platform = Platform { architecture, program: read(program)?, libraries: libraries.collect::<Result<_>>()? };
    // It goes no further than to this machine.
    let image = Image { reference: reference.to_owned(), labels: [].into(), time: 0, compressed: false, platforms: vec![platform] };
    oci::write(&image, path)
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{} cannot be read into an image", file.display()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loader_and_libraries_are_what_ldd_finds() {
        let found = parse_ldd(" linux-vdso.so.1 (0x1)\n libm.so.6 => /lib/libm.so.6 (0x2)\n /lib64/ld.so (0x3)\n statically linked\n");
        assert_eq!(found, [Path::new("/lib/libm.so.6"), Path::new("/lib64/ld.so")]);
    }
}
