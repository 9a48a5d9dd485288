//! Tar archives that are the same, bit for bit, for the same files: nobody's, all of one time, in the order that they were added in.
//! Knows nothing of what is in them.

use std::io::{Read as _, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// May be read by all, and run by nobody.
pub(crate) const FILE: u32 = 0o644;
/// May be read and run by all.
pub(crate) const PROGRAM: u32 = 0o755;

/// An archive that is being written.
pub(crate) struct Archive<W: Write> {
    tar: tar::Builder<W>,
    /// Of all files, in seconds since 1970.
    time: u64,
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub(crate) fn new(to: W, time: u64) -> Self {
        Self { tar: tar::Builder::new(to), time }
    }

    /// Adds a file, whose folders come into being with it; `mode` as for chmod.
    pub(crate) fn file(&mut self, path: impl AsRef<Path>, mode: u32, content: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(u64::try_from(content.len())?);
        header.set_mode(mode);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        let path = path.as_ref();
        self.tar.append_data(&mut header, path, content).with_context(|| format!("{} cannot be archived", path.display()))
    }

    /// What it was written to.
    pub(crate) fn finish(self) -> Result<W> {
        Ok(self.tar.into_inner()?)
    }
}

/// With neither a name nor a time in its header.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The same files as in `archive`, a compressed one that another program made.
pub(crate) fn remade(archive: &[u8], time: u64) -> Result<Vec<u8>> {
    let mut made = Archive::new(Vec::new(), time);
    for entry in tar::Archive::new(GzDecoder::new(archive)).entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        made.file(&*entry.path()?, FILE, &content)?;
    }
    gzip(&made.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(time: u64) -> Vec<u8> {
        let mut archive = Archive::new(Vec::new(), time);
        archive.file("folder/program", PROGRAM, b"ELF").unwrap();
        archive.file("LICENSE", FILE, b"Apache").unwrap();
        gzip(&archive.finish().unwrap()).unwrap()
    }

    #[test]
    fn an_archive_depends_on_its_files_and_the_time_it_is_given() {
        assert_eq!(archive(1), archive(1));
        assert_ne!(archive(1), archive(2));
    }

    #[test]
    fn one_that_is_made_again_has_the_same_files_of_another_time() {
        let remade = remade(&archive(1), 2).unwrap();
        let mut read = tar::Archive::new(GzDecoder::new(&*remade));
        let files = read.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mtime().unwrap(), content)
        });
        let expected = [("folder/program", 2, "ELF"), ("LICENSE", 2, "Apache")].map(|(name, time, text)| (name.into(), time, text.into()));
        assert_eq!(files.collect::<Vec<_>>(), expected);
    }
}
