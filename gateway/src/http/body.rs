//! A request body: counted, and never left half read in a connection. Knows nothing of multipart.

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

/// What is read, at most, of a body whose answer is already decided. Clients that send all before they read
/// anything would find a reset connection instead of the answer.
const DISCARDED_BYTES: u64 = 512 * 1024 * 1024;
const DISCARDED_FOR: Duration = Duration::from_secs(120);

/// The bytes of a request as they come.
pub(crate) struct Body {
    stream: BoxStream<'static, Result<Bytes, warp::Error>>,
    received: IntCounter,
    length: Option<u64>,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// The client sends nothing until asked to (`Expect: 100-continue`), and was not asked.
    Held,
    Begun,
    Ended,
}

impl Body {
    pub(crate) fn new<S, B>(stream: S, headers: &HeaderMap, received: IntCounter) -> Self
    where
        S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
        B: Buf,
    {
        let stream = stream.map(|chunk| chunk.map(|mut buf| buf.copy_to_bytes(buf.remaining()))).boxed();
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let progress = if headers.contains_key(EXPECT) { Progress::Held } else { Progress::Begun };
        Self { stream, received, length, progress }
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
    type Item = Result<Bytes, warp::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.stream.poll_next_unpin(context);
        self.progress = match &next {
            Poll::Ready(Some(Ok(chunk))) => {
                self.received.inc_by(chunk.len() as u64);
                Progress::Begun
            }
            Poll::Ready(_) => Progress::Ended,
            Poll::Pending => Progress::Begun,
        };
        next
    }
}
