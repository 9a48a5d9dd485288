//! Free ports on loopback, kept for each part, so that what is started again is found where it was.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};

/// The ports of a stack, by what listens there. Written to a file with each change.
#[derive(Debug)]
pub struct Ports {
    file: PathBuf,
    known: Mutex<BTreeMap<String, u16>>,
}

impl Ports {
    /// The ports written down in `file`, if it is there.
    #[must_use]
    pub fn open(file: &Path) -> Self {
        let known = std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { file: file.to_path_buf(), known: Mutex::new(known) }
    }

    /// The port of `part`; a free one when it has none yet. Another process can still take it before it is bound.
    ///
    /// # Errors
    /// When no port is free, or the file cannot be written.
    pub fn of(&self, part: &str) -> Result<u16> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(port) = known.get(part) {
            return Ok(*port);
        }
        let port = loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port on 127.0.0.1 is free")?;
            let port = listener.local_addr()?.port();
            if !known.values().any(|other| *other == port) {
                break port;
            }
        };
        known.insert(part.to_owned(), port);
        std::fs::write(&self.file, serde_json::to_vec_pretty(&*known)?).with_context(|| format!("cannot write {}", self.file.display()))?;
        Ok(port)
    }

    /// Forgets the port of `part`, so that the next one is another.
    pub fn forget(&self, part: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(part);
    }
}
