//! The bytes of one image on their way to S3: in memory while the replica has room for them, from there on in a file that has no
//! name and so goes when its last holder does, however that ends. Knows nothing of HTTP, of S3 or of what the bytes are.

mod file;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::digest::Digest;

pub(crate) use self::file::Spooled;

/// Unit of the semaphores that count bytes: their permits are limited to 32 bits a call.
const PERMIT_BYTES: usize = 1024;

/// Bytes that are enough to tell what a file is.
const HEAD_BYTES: usize = 512;

/// Least room that a buffer takes in memory, and the most by which it grows at a time.
const SMALLEST_BUFFER: usize = 8 * 1024;
const LARGEST_STEP: usize = 1024 * 1024;

/// Bytes that are gathered for one write into a file, while there is room in memory for them, and that are read at a time.
const BLOCK: usize = 32 * 1024;

/// How long an image may wait for others to leave the disk.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an image's bytes cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    /// Memory and disk are taken, and were not given back in time.
    #[error("there is no room for more bytes")]
    Full,
    /// The disk does not take or give them.
    #[error("the spool file: {0}")]
    Disk(#[from] std::io::Error),
}

/// What all images of a replica share: so many bytes of memory, then so many of disk.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    memory: Arc<Semaphore>,
    disk: Arc<Semaphore>,
    folder: Arc<Path>,
}

impl Room {
    /// Room for `memory` bytes, and in `folder` for `disk` bytes.
    pub(crate) fn new(memory: u64, disk: u64, folder: PathBuf) -> Self {
        let permits = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(PERMIT_BYTES).min(Semaphore::MAX_PERMITS);
        let semaphore = |bytes| Arc::new(Semaphore::new(permits(bytes)));
        Self { memory: semaphore(memory), disk: semaphore(disk), folder: folder.into() }
    }

    /// Makes the folder and a file in it.
    ///
    /// # Errors
    /// When that is not possible, so that no image could be spooled: the folder and why.
    pub(crate) fn check(&self) -> Result<(), (PathBuf, std::io::Error)> {
        let made = std::fs::create_dir_all(&self.folder).and_then(|()| tempfile::tempfile_in(&self.folder));
        made.map(drop).map_err(|error| (self.folder.to_path_buf(), error))
    }

    /// Begins an image; `hashed` when its SHA-256 will be asked for.
    pub(crate) fn writer(&self, hashed: bool) -> Writer {
        let sha256 = hashed.then(Sha256::new);
        Writer { room: self.clone(), head: Vec::new(), buffer: Vec::new(), memory: None, file: None, len: 0, sha256 }
    }
}

/// An image that is being received.
#[derive(Debug)]
pub(crate) struct Writer {
    room: Room,
    head: Vec<u8>,
    buffer: Vec<u8>,
    /// Covers the capacity of the buffer.
    memory: Option<OwnedSemaphorePermit>,
    file: Option<Spooled>,
    len: u64,
    sha256: Option<Sha256>,
}

impl Writer {
    /// Bytes so far.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Adds bytes, waiting for room on the disk where memory has none.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> Result<(), ContentError> {
        self.len += chunk.len() as u64;
        let missing = HEAD_BYTES.saturating_sub(self.head.len()).min(chunk.len());
        self.head.extend_from_slice(&chunk[..missing]);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(&chunk);
        }
        if self.fits(chunk.len()) {
            self.buffer.extend_from_slice(&chunk);
            return Ok(());
        }
        self.spill().await?;
        if self.fits(chunk.len()) {
            self.buffer.extend_from_slice(&chunk);
            return Ok(());
        }
        self.append(chunk).await
    }

    /// The image as a whole.
    pub(crate) async fn finish(mut self) -> Result<Content, ContentError> {
        if self.file.is_some() {
            self.spill().await?;
        }
        let Self { room: _, head, mut buffer, mut memory, file, len, sha256 } = self;
        let place = match file {
            Some(file) => Place::File(Arc::new(file)),
            None => {
                buffer.shrink_to_fit();
                let surplus = memory.as_ref().map_or(0, |memory| memory.num_permits().saturating_sub(buffer.len().div_ceil(PERMIT_BYTES)));
                drop(memory.as_mut().and_then(|memory| memory.split(surplus)));
                Place::Memory { bytes: buffer.into(), _room: memory }
            }
        };
        Ok(Content { head: head.into(), len, sha256: sha256.map(Digest::from), place })
    }

    /// Whether the buffer holds so many bytes more, or could be made to.
    fn fits(&mut self, bytes: usize) -> bool {
        let (held, needed) = (self.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits), self.buffer.len() + bytes);
        if needed <= self.buffer.capacity() {
            return true;
        }
        if self.file.is_some() && needed > BLOCK {
            return false;
        }
        let wanted = needed + (needed / 2).clamp(SMALLEST_BUFFER / 2, LARGEST_STEP);
        let missing = u32::try_from(wanted.div_ceil(PERMIT_BYTES).saturating_sub(held)).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.room.memory).try_acquire_many_owned(missing) else {
            return false;
        };
        self.buffer.reserve_exact(wanted - self.buffer.len());
        merge(&mut self.memory, more);
        true
    }

    /// Gives the memory back: what is in it goes into the file.
    async fn spill(&mut self) -> Result<(), ContentError> {
        let (bytes, memory) = (std::mem::take(&mut self.buffer), self.memory.take());
        if !bytes.is_empty() {
            self.append(bytes.into()).await?;
        }
        drop(memory);
        Ok(())
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), ContentError> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Spooled::create(Arc::clone(&self.room.folder)).await?,
        };
        let missing = file.missing_room(bytes.len());
        let room = Arc::clone(&self.room.disk).acquire_many_owned(missing);
        let room = tokio::time::timeout(PATIENCE, room).await.map_err(|_| ContentError::Full)?.map_err(|_| ContentError::Full)?;
        self.file.insert(file).append(bytes, room).await
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
    }
}

/// An image received in full. Dropping it gives its room back.
#[derive(Debug)]
pub(crate) struct Content {
    head: Bytes,
    len: u64,
    sha256: Option<Digest>,
    place: Place,
}

/// Where its bytes are.
#[derive(Debug)]
pub(crate) enum Place {
    /// Here.
    Memory { bytes: Bytes, _room: Option<OwnedSemaphorePermit> },
    /// In a file.
    File(Arc<Spooled>),
}

impl Content {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Its first bytes, 512 or all, to tell what it is.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Its SHA-256, where it was asked for when it was begun.
    pub(crate) fn sha256(&self) -> Option<Digest> {
        self.sha256
    }

    /// Where its bytes are.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Its bytes, if they are in memory.
    pub(crate) fn in_memory(&self) -> Option<&Bytes> {
        match &self.place {
            Place::Memory { bytes, .. } => Some(bytes),
            Place::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
