//! One who listens: a place among the events, and one among those who may listen.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::Hub;
use super::ring::Event;
use crate::refusal::Refusal;

/// One who listens, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    hub: Hub,
    /// Number of the event heard last.
    place: u64,
    /// It asked to go on at an event that is not one of this replica's.
    is_stranger: bool,
    news: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    pub(super) fn new(hub: &Hub, last: Option<&str>) -> Result<Self, Refusal> {
        let permit = Arc::clone(&hub.0.places).try_acquire_owned();
        let _permit = permit.map_err(|_| Refusal::TooManyStreams { limit: hub.0.limit })?;
        let news = hub.0.news.subscribe();
        let latest = hub.ring().latest();
        let resumed = last.map(|last| place(last, &hub.0.replica).filter(|place| *place <= latest));
        hub.0.gauge.inc();
        hub.0.listeners.send_modify(|count| *count += 1);
        Ok(Self { hub: hub.clone(), place: resumed.flatten().unwrap_or(latest), is_stranger: resumed == Some(None), news, _permit })
    }

    /// The next event, when there is one; none when the replica is leaving. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if self.hub.0.closed.is_cancelled() {
                return None;
            }
            if let Some(event) = self.known() {
                self.place = event.sequence;
                return Some(event);
            }
            tokio::select! {
                changed = self.news.changed() => changed.ok()?,
                () = self.hub.0.closed.cancelled() => return None,
            }
        }
    }

    /// What the listener says, later, to go on behind `event`.
    pub(crate) fn id(&self, event: &Event) -> String {
        self.hub.id(event)
    }

    fn known(&mut self) -> Option<Arc<Event>> {
        let ring = self.hub.ring();
        if std::mem::take(&mut self.is_stranger) { Some(ring.reset()) } else { ring.after(self.place) }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.hub.0.gauge.dec();
        self.hub.0.listeners.send_modify(|count| *count -= 1);
    }
}

/// The number in an event's id, when it is one of `replica`'s.
fn place(id: &str, replica: &str) -> Option<u64> {
    id.strip_prefix(replica)?.strip_prefix('-')?.parse().ok()
}
