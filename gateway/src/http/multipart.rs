//! Files out of a multipart body, one after the other, each limit checked while the bytes come.
//! Knows nothing of images beyond telling a file from a form's other fields.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use multer::{Field, Multipart};
use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;

use super::body::{Body, BodyError};
use super::collect::collect;
use super::disposition;
use crate::core::{Core, Slot};
use crate::refusal::Refusal;
use crate::sniff::sniff;
use crate::upload::File;

/// Bytes that may come while a boundary or a part's headers are looked for; chunks hold the data behind them too.
const BETWEEN_FILES_BYTES: usize = 1024 * 1024;

/// Boundaries and headers of a part, generously, where the whole length is judged in advance.
const PART_OVERHEAD_BYTES: u64 = 4096;

/// Bytes that are searched for a boundary at a time: of many slow uploads each holds as much again.
const PIECE_BYTES: usize = 2048;

/// The files of a request; `hashed` when their SHA-256 will be asked for. The first that ends the request is the last item.
///
/// # Errors
/// When headers alone show that the body need not be read.
pub(crate) fn files<'a>(
    headers: &HeaderMap,
    body: &'a mut Body,
    core: &'a Core,
    hashed: bool,
) -> Result<BoxStream<'a, Result<File, Refusal>>, Refusal> {
    let boundary = boundary(headers)?;
    check_length(body, core)?;
    let spare = Some(core.slot()?);
    let allowance = Arc::new(AtomicUsize::new(0));
    let multipart = Multipart::new(OneByOne { body, rest: Bytes::new(), allowance: Arc::clone(&allowance), resting: false }, boundary);
    let parts = Parts { multipart, core, hashed, allowance, spare, count: 0 };
    // Boxed: moved about, it would take its room several times.
    Ok(stream::try_unfold(parts, |mut parts| async move { Ok(parts.next().await?.map(|file| (file, parts))) }).boxed())
}

fn boundary(headers: &HeaderMap) -> Result<String, Refusal> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Err(Refusal::NotMultipart { found: "of no declared type".to_owned() });
    };
    let value = String::from_utf8_lossy(value.as_bytes());
    multer::parse_boundary(&value).map_err(|error| match error {
        multer::Error::NoBoundary => Refusal::Malformed { reason: "its Content-Type names no boundary".to_owned() },
        _ => Refusal::NotMultipart { found: value.into_owned() },
    })
}

fn check_length(body: &Body, core: &Core) -> Result<(), Refusal> {
    let (limit, files) = (core.settings.max_upload_bytes, core.settings.max_files);
    let longest = limit.saturating_add(PART_OVERHEAD_BYTES).saturating_mul(files.into());
    match body.length() {
        Some(bytes) if bytes > longest => Err(Refusal::BodyTooLarge { bytes, files, limit }),
        _ => Ok(()),
    }
}

struct Parts<'a> {
    multipart: Multipart<'a>,
    core: &'a Core,
    hashed: bool,
    allowance: Arc<AtomicUsize>,
    /// A slot taken and not needed yet: the first is taken before the body is read.
    spare: Option<Slot>,
    count: u32,
}

impl Parts<'_> {
    async fn next(&mut self) -> Result<Option<File>, Refusal> {
        loop {
            self.allowance.store(BETWEEN_FILES_BYTES, Ordering::Relaxed);
            let Some(field) = self.multipart.next_field().await.map_err(malformed)? else {
                return Ok(None);
            };
            self.allowance.store(usize::MAX, Ordering::Relaxed);
            self.count += 1;
            if self.count > self.core.settings.max_files {
                return Err(Refusal::TooManyFiles { limit: self.core.settings.max_files });
            }
            let slot = match self.spare.take() {
                Some(slot) => slot,
                None => self.core.slot()?,
            };
            match self.read(field, slot).await? {
                Ok(file) => return Ok(Some(file)),
                Err(slot) => self.spare = Some(slot),
            }
        }
    }

    /// The file in a field, or the slot back when the field is none.
    async fn read(&self, mut field: Field<'_>, slot: Slot) -> Result<Result<File, Slot>, Refusal> {
        let declared = disposition::file_name(field.headers()).or_else(|| field.file_name().map(str::to_owned));
        let name = wire::file_name(declared.as_deref().filter(|name| !name.is_empty()).or(field.name()).unwrap_or_default());
        let limit = self.core.settings.max_upload_bytes;
        let content = collect(&mut field, self.core.room.writer(self.hashed), &name, limit, malformed).await?;
        let is_file = match declared.as_deref() {
            // A browser's file input without a choice.
            Some("") => content.len() > 0,
            Some(_) => true,
            // An image that was not given a name, or a form's text field or button.
            None => sniff(content.head()).is_ok(),
        };
        Ok(if is_file { Ok(File { name, content, slot }) } else { Err(slot) })
    }
}

fn malformed(error: multer::Error) -> Refusal {
    let reason = match error {
        multer::Error::StreamReadFailed(source) => match source.downcast_ref::<ReadError>() {
            Some(ReadError::Body(BodyError::TooSlow)) => return Refusal::Stalled,
            Some(error) => error.to_string(),
            None => source.to_string(),
        },
        multer::Error::IncompleteStream | multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteHeaders => {
            "it ends before its closing boundary".to_owned()
        }
        error => error.to_string(),
    };
    Refusal::Malformed { reason }
}

#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("no part begins within {BETWEEN_FILES_BYTES} bytes")]
    NoPart,
    #[error(transparent)]
    Body(#[from] BodyError),
}

/// Hands over one piece at a time. multer takes whatever is ready before it looks at any of it: without this, a
/// part's headers that never end would be gathered in memory without limit.
struct OneByOne<'a> {
    body: &'a mut Body,
    /// What has come and is not handed over yet.
    rest: Bytes,
    allowance: Arc<AtomicUsize>,
    resting: bool,
}

impl Stream for OneByOne<'_> {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.resting) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.rest.is_empty() {
            let next = std::task::ready!(self.body.poll_next_unpin(context));
            let Some(chunk) = next.transpose()? else {
                return Poll::Ready(None);
            };
            self.rest = chunk;
        }
        self.resting = true;
        let length = self.rest.len().min(PIECE_BYTES);
        let piece = self.rest.split_to(length);
        let spent = self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(length));
        Poll::Ready(Some(spent.map(|_| piece).map_err(|_| ReadError::NoPart)))
    }
}
