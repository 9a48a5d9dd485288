//! A request body: counted, given up when it comes too slowly, and never left half read in a connection. Knows nothing of
//! multipart.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use prometheus::IntCounter;
use tokio_util::task::TaskTracker;
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_LENGTH, EXPECT};

use super::pace::{LEAST_BYTES, Pace, WINDOW};

/// What is read, at most, of a body whose answer is already decided. Clients that send all before they read
/// anything would find a reset connection instead of the answer.
const DISCARDED_BYTES: u64 = 512 * 1024 * 1024;
const DISCARDED_FOR: Duration = Duration::from_secs(120);

/// Why the rest of a body does not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("less than {} KiB came in {} seconds", LEAST_BYTES / 1024, WINDOW.as_secs())]
    TooSlow,
    #[error("the connection ended early: {0}")]
    Broken(Box<dyn Error + Send + Sync>),
}

/// The bytes of a request as they come.
pub(crate) struct Body {
    stream: BoxStream<'static, Result<Bytes, BodyError>>,
    received: IntCounter,
    length: Option<u64>,
    progress: Progress,
    pace: Pace,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The client sends nothing until asked to (`Expect: 100-continue`), and was not asked.
    Held,
    Begun,
    Ended,
}

impl Body {
    pub(crate) fn new<S, B, E>(stream: S, headers: &HeaderMap, received: IntCounter) -> Self
    where
        S: Stream<Item = Result<B, E>> + Send + 'static,
        B: Buf,
        E: Error + Send + Sync + 'static,
    {
        let stream = stream.map(|chunk| match chunk {
            Ok(mut buf) => Ok(buf.copy_to_bytes(buf.remaining())),
            Err(error) => Err(BodyError::Broken(error.into())),
        });
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let progress = if headers.contains_key(EXPECT) { Progress::Held } else { Progress::Begun };
        Self { stream: stream.boxed(), received, length, progress, pace: Pace::new() }
    }

    /// Its length in bytes, when the client says it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Reads on behind the answer, so that the client lives to see it; within limits.
    pub(crate) fn discard(mut self, tasks: &TaskTracker) {
        if self.progress == Progress::Begun {
            tasks.spawn(tokio::time::timeout(DISCARDED_FOR, async move {
                let mut discarded = 0;
                while let Some(Ok(chunk)) = self.next().await
                    && discarded < DISCARDED_BYTES
                {
                    discarded += chunk.len() as u64;
                }
            }));
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.poll_next_unpin(context);
        self.progress = match &next {
            Poll::Ready(Some(Ok(chunk))) => {
                self.received.inc_by(chunk.len() as u64);
                self.pace.came(chunk.len());
                Progress::Begun
            }
            Poll::Ready(_) => Progress::Ended,
            Poll::Pending => Progress::Begun,
        };
        match next {
            Poll::Pending => self.pace.poll_too_slow(context).map(|()| Some(Err(BodyError::TooSlow))),
            next => next,
        }
    }
}
