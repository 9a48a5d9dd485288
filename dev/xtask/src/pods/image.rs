//! Programs of this machine that stand for container images.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The program that stands for all images of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBinary {
    name: String,
    program: PathBuf,
}

impl ImageBinary {
    /// `program` stands for images called `name`, such as `classifierfleet/gateway`.
    #[must_use]
    pub fn new(name: &str, program: impl Into<PathBuf>) -> Self {
        Self { name: name.to_owned(), program: program.into() }
    }
}

impl FromStr for ImageBinary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, program)) if !name.is_empty() && !program.is_empty() => Ok(Self::new(name, program)),
            _ => Err(format!("{text:?} is not NAME=PATH")),
        }
    }
}

impl fmt::Display for ImageBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.program.display())
    }
}

/// The program for `image`, which may have a tag or digest.
pub(super) fn program_for<'a>(images: &'a [ImageBinary], image: &str) -> Option<&'a Path> {
    images.iter().find(|known| known.name == without_tag(image)).map(|known| known.program.as_path())
}

/// A colon before the last slash belongs to a registry's port.
fn without_tag(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_digests_do_not_matter() {
        let table = [("a/b", "a/b"), ("a/b:1.2", "a/b"), ("host:5000/a/b", "host:5000/a/b"), ("host:5000/a:1@sha256:0", "host:5000/a")];
        for (image, name) in table {
            assert_eq!(without_tag(image), name);
        }
        let images = ["a/b=/bin/true".parse().unwrap()];
        assert_eq!(program_for(&images, "a/b:latest"), Some(Path::new("/bin/true")));
        assert_eq!(program_for(&images, "a/c"), None);
        assert!("a/b".parse::<ImageBinary>().is_err());
    }
}
