//! A file without a name, as large as it was given room, read back as the body of a request that can be sent again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::{BLOCK, ContentError, PERMIT_BYTES, merge};

/// Bytes on the disk.
#[derive(Debug)]
pub(crate) struct Spooled {
    file: Arc<File>,
    len: u64,
    room: Option<OwnedSemaphorePermit>,
}

impl Spooled {
    pub(super) async fn create(folder: Arc<Path>) -> Result<Self, ContentError> {
        let file = blocking(move || tempfile::tempfile_in(folder)).await?;
        Ok(Self { file: Arc::new(file), len: 0, room: None })
    }

    /// Units of room that it takes to have so many bytes more.
    pub(super) fn missing_room(&self, bytes: usize) -> u32 {
        let held = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let needed = (self.len + bytes as u64).div_ceil(PERMIT_BYTES as u64);
        u32::try_from(needed.saturating_sub(held)).unwrap_or(u32::MAX)
    }

    pub(super) async fn append(&mut self, bytes: Bytes, room: OwnedSemaphorePermit) -> Result<(), ContentError> {
        merge(&mut self.room, room);
        let (file, at, len) = (Arc::clone(&self.file), self.len, bytes.len() as u64);
        blocking(move || file.write_all_at(&bytes, at)).await?;
        self.len += len;
        Ok(())
    }

    /// All its bytes, from the first, as often as this is called.
    pub(crate) fn body(self: &Arc<Self>) -> impl Body<Data = Bytes, Error = io::Error> + Send + Sync + use<> {
        Reader { spooled: Arc::clone(self), at: 0, reading: None }
    }
}

struct Reader {
    spooled: Arc<Spooled>,
    at: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Reader {
    fn left(&self) -> u64 {
        self.spooled.len - self.at
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left() == 0 {
            return Poll::Ready(None);
        }
        let (at, block) = (self.at, usize::try_from(self.left()).unwrap_or(BLOCK).min(BLOCK));
        let file = Arc::clone(&self.spooled.file);
        let reading = self.reading.get_or_insert_with(|| {
            tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; block];
                file.read_exact_at(&mut bytes, at)?;
                Ok(bytes.into())
            })
        });
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let bytes = read.map_err(io::Error::other).flatten()?;
        self.at += bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten()
}
