//! Whether a connection is used: from a request's headers until both its body and its answer's have come to their ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::watch;

/// The requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Busy(watch::Sender<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    under_way: usize,
    begun: u64,
}

/// A request under way; it ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct UnderWay {
    _ends: Arc<Ends>,
}

#[derive(Debug)]
struct Ends(Busy);

impl Busy {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(State { under_way: 0, begun: 0 }))
    }

    /// A request begins.
    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|state| {
            state.under_way += 1;
            state.begun += 1;
        });
        UnderWay { _ends: Arc::new(Ends(self.clone())) }
    }

    /// Returns once nothing was under way for so long: `first` before the first request, `then` after it.
    pub(super) async fn idle(&self, first: Duration, then: Duration) {
        let mut states = self.0.subscribe();
        while let Ok(begun) = states.wait_for(|state| state.under_way == 0).await.map(|state| state.begun) {
            let patience = if begun == 0 { first } else { then };
            if tokio::time::timeout(patience, states.wait_for(|state| state.begun != begun)).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.0.send_modify(|state| state.under_way -= 1);
    }
}

/// A body that keeps its connection from being idle.
#[derive(Debug)]
pub(crate) struct Tracked<B> {
    body: B,
    _under_way: UnderWay,
}

impl<B> Tracked<B> {
    pub(super) fn new(body: B, under_way: UnderWay) -> Self {
        Self { body, _under_way: under_way }
    }
}

impl<B: Body + Unpin> Body for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(10);
    const THEN: Duration = Duration::from_secs(75);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_only_while_nothing_is_under_way() {
        let (busy, begun) = (Busy::new(), tokio::time::Instant::now());
        busy.idle(FIRST, THEN).await;
        assert_eq!(begun.elapsed().as_secs(), 10, "nothing was ever asked");

        let request = busy.begin();
        let (body, answer) = (Tracked::new((), request.clone()), Tracked::new((), request));
        let asked = async {
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(body);
            tokio::time::sleep(Duration::from_secs(1000)).await;
            drop(answer);
            tokio::time::sleep(Duration::from_secs(70)).await;
            drop(busy.begin());
        };
        let begun = tokio::time::Instant::now();
        tokio::join!(busy.idle(FIRST, THEN), asked);
        assert_eq!(begun.elapsed().as_secs(), 2070 + 75);
    }
}
