//! What happens to images and to the fleet, told to all who listen. The last events are kept once for all of them, and each
//! listener has but a place among them: one that is slow holds nobody up and takes no memory. Knows nothing of HTTP.

mod listener;
mod ring;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus::IntGauge;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::ring::Ring;
use crate::rate::Rate;
use crate::refusal::Refusal;

pub(crate) use self::listener::Listener;
pub(crate) use self::ring::{Event, Kind};

/// All events of this replica.
#[derive(Debug, Clone)]
pub(crate) struct Hub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// When this replica began: its numbers mean nothing to another one.
    replica: String,
    ring: Mutex<Ring>,
    results: Rate,
    /// Changes with every event.
    news: watch::Sender<()>,
    /// How many listen.
    listeners: watch::Sender<usize>,
    places: Arc<Semaphore>,
    limit: u32,
    gauge: IntGauge,
    closed: CancellationToken,
}

impl Hub {
    /// Events for at most `limit` listeners at once; `gauge` shows how many there are.
    pub(crate) fn new(limit: u32, gauge: IntGauge) -> Self {
        let milliseconds = Timestamp::now().as_millisecond();
        Self(Arc::new(Shared {
            replica: base36(milliseconds.unsigned_abs()),
            ring: Mutex::default(),
            results: Rate::new(),
            news: watch::Sender::new(()),
            listeners: watch::Sender::new(0),
            places: Arc::new(Semaphore::new(limit as usize)),
            limit,
            gauge,
            closed: CancellationToken::new(),
        }))
    }

    /// An image was accepted; `view` is what is said of it.
    pub(crate) fn accepted(&self, view: &Value) {
        self.publish(Kind::Image, view, None);
    }

    /// The result of an image is known. May be said more than once, and is told once.
    pub(crate) fn finished(&self, id: Uuid, view: impl FnOnce() -> Value) {
        if !self.ring().has_finished(id) {
            self.0.results.one_more();
            self.publish(Kind::Image, &view(), Some(id));
        }
    }

    /// The fleet changed; `view` is what it is now.
    pub(crate) fn fleet(&self, view: &Value) {
        self.publish(Kind::Fleet, view, None);
    }

    /// The pace of results.
    pub(crate) fn results(&self) -> &Rate {
        &self.0.results
    }

    /// Begins to listen: behind the event `last` that was heard last, or from now on.
    ///
    /// # Errors
    /// [`Refusal::TooManyStreams`] when as many listen as may.
    pub(crate) fn listen(&self, last: Option<&str>) -> Result<Listener, Refusal> {
        Listener::new(self, last)
    }

    /// Tells of every change of how many listen.
    pub(crate) fn listeners(&self) -> watch::Receiver<usize> {
        self.0.listeners.subscribe()
    }

    /// Ends all listening: the replica is leaving, and another one or its successor goes on.
    pub(crate) fn close(&self) {
        self.0.closed.cancel();
    }

    /// What a listener says, later, to go on behind `event`.
    pub(crate) fn id(&self, event: &Event) -> String {
        format!("{}-{}", self.0.replica, event.sequence)
    }

    fn publish(&self, kind: Kind, view: &Value, finished: Option<Uuid>) {
        self.ring().push(kind, view.to_string(), finished);
        self.0.news.send_replace(());
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // No code that holds the lock can leave it half changed.
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((number % 36) as u32, 36));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn hub(limit: u32) -> Hub {
        Hub::new(limit, IntGauge::new("streams", "Streams.").unwrap())
    }

    /// What a listener hears without waiting.
    fn heard(listener: &mut Listener) -> Vec<String> {
        let next = |listener: &mut Listener| listener.next().now_or_never().flatten();
        std::iter::from_fn(|| next(listener)).map(|event| format!("{} {}", event.kind.name(), event.data)).collect()
    }

    #[test]
    fn numbers_are_written_in_base_36() {
        assert_eq!([0, 35, 36, 1_800_000_000_000].map(base36), ["0", "z", "10", "mywpiww0"].map(str::to_owned));
    }

    #[tokio::test]
    async fn all_hear_what_happens_from_now_on_and_a_result_once() {
        let (hub, id) = (hub(9), Uuid::now_v7());
        hub.accepted(&json!({"early": 1}));
        let (mut one, mut two) = (hub.listen(None).unwrap(), hub.listen(None).unwrap());
        hub.accepted(&json!({"status": "Pending"}));
        hub.finished(id, || json!({"status": "Classified"}));
        hub.finished(id, || json!({"status": "Classified"}));
        let expected = [r#"image {"status":"Pending"}"#, r#"image {"status":"Classified"}"#];
        assert_eq!((heard(&mut one), heard(&mut two)), (expected.map(str::to_owned).into(), expected.map(str::to_owned).into()));
        assert!(hub.results().per_second() > 0.0);
    }

    #[tokio::test]
    async fn who_comes_back_goes_on_where_it_was_and_a_stranger_is_told_to_begin_again() {
        let hub = hub(9);
        let mut first = hub.listen(None).unwrap();
        hub.fleet(&json!(1));
        let id = hub.id(&first.next().await.unwrap());
        hub.fleet(&json!(2));
        assert_eq!(heard(&mut hub.listen(Some(&id)).unwrap()), ["fleet 2"]);
        for stranger in ["", "0-1", "nonsense", &id.replace('-', ""), &format!("{id}9")] {
            assert_eq!(heard(&mut hub.listen(Some(stranger)).unwrap()), ["reset {}"], "{stranger:?}");
        }
    }

    #[tokio::test]
    async fn places_are_limited_and_given_back() {
        let hub = hub(1);
        let listener = hub.listen(None).unwrap();
        assert!(matches!(hub.listen(None), Err(Refusal::TooManyStreams { limit: 1 })));
        assert_eq!((hub.0.gauge.get(), *hub.listeners().borrow()), (1, 1));
        drop(listener);
        assert_eq!((hub.0.gauge.get(), *hub.listeners().borrow()), (0, 0));
        assert!(hub.listen(None).is_ok());
    }

    #[tokio::test]
    async fn listening_ends_when_the_replica_leaves() {
        let hub = hub(1);
        let mut listener = hub.listen(None).unwrap();
        let ended = tokio::spawn(async move { listener.next().await.is_none() });
        tokio::task::yield_now().await;
        hub.close();
        assert!(ended.await.unwrap());
    }
}
