//! Images whose label is known, in a folder as the clients want it: `test_00.jpg`, `test_01.jpg`, … and `labels.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;
use xtask::paths::Paths;
use xtask::stack::Stack;

use crate::support::photos;

/// The class of two photos that EfficientNet-Lite0 takes for something else.
const MISTAKEN: usize = 609;

/// Images and their labels.
pub struct Images {
    pub folder: TempDir,
    /// By file name.
    pub labels: BTreeMap<String, String>,
}

impl Images {
    /// So many aligned faces of the people in the gallery, by turns.
    pub fn faces(count: usize) -> Self {
        let folder = Paths::discover().unwrap().root.join("models/face-recognition/faces");
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let named = |file: &Path| (fs::read(file).unwrap(), file.file_stem().unwrap().to_str().unwrap().to_owned());
        Self::lay_out(files.iter().map(|file| named(file)).cycle().take(count))
    }

    /// So many photos, at most 18.
    pub fn photos(stack: &Stack, count: usize) -> Self {
        let labels = fs::read_to_string(stack.tools().model.join("labels.txt")).unwrap();
        let labels: Vec<&str> = labels.lines().collect();
        let known = photos(stack).into_iter().filter(|photo| photo.class != MISTAKEN);
        Self::lay_out(known.take(count).map(|photo| (photo.bytes, labels[photo.class].to_owned())))
    }

    fn lay_out(images: impl Iterator<Item = (Vec<u8>, String)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |(number, (bytes, label)): (usize, (Vec<u8>, String))| {
            let name = format!("test_{number:02}.jpg");
            fs::write(folder.path().join(&name), bytes).unwrap();
            (name, label)
        };
        let labels: BTreeMap<String, String> = images.enumerate().map(write).collect();
        fs::write(folder.path().join("labels.json"), serde_json::to_string(&labels).unwrap()).unwrap();
        Self { folder, labels }
    }
}
