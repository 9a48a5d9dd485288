//! The stream of a connection: keeps the connection's place, also when it is handed on for WebSockets, and gives up clients
//! that do not take what is sent to them.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

/// A client that takes nothing for so long is gone, or means no good.
const PATIENCE: Duration = Duration::from_secs(60);

/// What bytes travel on: TCP, or TLS over it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A stream with its place among the connections.
pub(super) struct Io {
    stream: Box<dyn Transport>,
    stuck: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Io {
    pub(super) fn new(stream: Box<dyn Transport>, place: OwnedSemaphorePermit) -> Self {
        Self { stream, stuck: false, alarm: None, _place: place }
    }

    /// What writing came to, or an error when it has been stuck for too long.
    fn patient<T>(&mut self, written: Poll<Result<T>>, context: &mut Context<'_>) -> Poll<Result<T>> {
        if written.is_ready() {
            self.stuck = false;
            return written;
        }
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        if !std::mem::replace(&mut self.stuck, true) {
            alarm.as_mut().reset(Instant::now() + PATIENCE);
        }
        alarm.as_mut().poll(context).map(|()| Err(Error::new(ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.patient(written, context)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.patient(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.patient(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.patient(shut, context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_is_waited_for_and_one_that_takes_nothing_is_not() {
        let places = Arc::new(Semaphore::new(1));
        let (stream, mut client) = tokio::io::duplex(10);
        let mut io = Io::new(Box::new(stream), Arc::clone(&places).try_acquire_owned().unwrap());
        let begun = Instant::now();
        let takes = async {
            for _ in 0..9 {
                tokio::time::sleep(PATIENCE - Duration::from_secs(1)).await;
                client.read_exact(&mut [0; 10]).await.unwrap();
            }
            begun.elapsed()
        };
        let (written, took) = tokio::join!(io.write_all(&[0; 1000]), takes);
        assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(begun.elapsed() - took, PATIENCE);
        assert_eq!(places.available_permits(), 0);
        drop(io);
        assert_eq!(places.available_permits(), 1);
    }
}
