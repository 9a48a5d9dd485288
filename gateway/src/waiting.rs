//! The images that wait for their result in this replica: how many, and since when. Knows nothing of who is told.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

/// Ids of all that wait. They are UUIDv7, so that the first is the oldest.
pub(crate) type Ids = BTreeSet<Uuid>;

/// All images that wait in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiting(watch::Sender<Ids>);

/// One image that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Awaited {
    id: Uuid,
    waiting: Waiting,
}

/// What those who are told need to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Number of images that wait.
    pub(crate) images: usize,
    /// When the oldest of them was accepted; none when nothing waits.
    pub(crate) oldest: Option<Timestamp>,
}

impl Waiting {
    /// An image begins to wait.
    pub(crate) fn begin(&self, id: Uuid) -> Awaited {
        self.0.send_modify(|ids| {
            ids.insert(id);
        });
        Awaited { id, waiting: self.clone() }
    }

    /// Tells of every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Ids> {
        self.0.subscribe()
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.waiting.0.send_modify(|ids| {
            ids.remove(&self.id);
        });
    }
}

impl Tally {
    pub(crate) fn of(ids: &Ids) -> Self {
        Self { images: ids.len(), oldest: ids.first().and_then(accepted_at) }
    }
}

/// When the image of this id was accepted, to the millisecond; none of an id that is no UUIDv7.
pub(crate) fn accepted_at(id: &Uuid) -> Option<Timestamp> {
    let (seconds, nanoseconds) = id.get_timestamp()?.to_unix();
    Timestamp::new(i64::try_from(seconds).ok()?, i32::try_from(nanoseconds).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_oldest_is_that_which_still_waits() {
        let (waiting, first, second) = (Waiting::default(), id(1_000), id(2_000));
        let tally = || Tally::of(&waiting.watch().borrow());
        assert_eq!(tally(), Tally::default());
        let (later, sooner) = (waiting.begin(second), waiting.begin(first));
        assert_eq!(tally(), Tally { images: 2, oldest: Some("1970-01-01T00:00:01Z".parse().unwrap()) });
        drop(sooner);
        assert_eq!(tally(), Tally { images: 1, oldest: Some("1970-01-01T00:00:02Z".parse().unwrap()) });
        drop(later);
        assert_eq!(tally(), Tally::default());
    }

    fn id(unix_milliseconds: u64) -> Uuid {
        uuid::Builder::from_unix_timestamp_millis(unix_milliseconds, &[0; 10]).into_uuid()
    }
}
