//! How many messages a worker holds: what waits here, no other worker can take. Knows nothing of where they come from.

use tokio::sync::watch;

use super::queue::MAX_BATCH;

/// Room for messages; clones are of the same.
#[derive(Debug, Clone)]
pub(super) struct Room(watch::Sender<Taken>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    waiting: usize,
    all: usize,
}

/// How much room there is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Messages whose job has not begun.
    pub(super) waiting: usize,
    /// All messages, those included whose result is being stored.
    pub(super) all: usize,
}

/// Room for one message, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Room,
    waits: bool,
}

impl Room {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Taken::default()))
    }

    /// All places that are free, ten at most, once there are enough of them for a call to be worth it: half of what may wait, or ten.
    pub(super) async fn take(&self, limits: impl Fn() -> Limits) -> Vec<Place> {
        let mut taken = self.0.subscribe();
        loop {
            taken.borrow_and_update();
            let places = self.try_take(limits());
            if !places.is_empty() {
                return places;
            }
            // Never fails: this is a sender itself.
            let _ = taken.changed().await;
        }
    }

    fn try_take(&self, Limits { waiting, all }: Limits) -> Vec<Place> {
        let enough = waiting.div_ceil(2).clamp(1, MAX_BATCH);
        let mut free = 0;
        self.0.send_if_modified(|taken| {
            free = waiting.saturating_sub(taken.waiting).min(all.saturating_sub(taken.all)).min(MAX_BATCH);
            if free < enough {
                free = 0;
            }
            taken.waiting += free;
            taken.all += free;
            free > 0
        });
        (0..free).map(|_| Place { room: self.clone(), waits: true }).collect()
    }
}

impl Place {
    /// The job begins; its place among those that wait is free again.
    pub(super) fn begin(&mut self) {
        if self.waits {
            self.waits = false;
            self.room.0.send_modify(|taken| taken.waiting -= 1);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.begin();
        self.room.0.send_modify(|taken| taken.all -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { waiting: 30, all: 40 };

    #[test]
    fn places_are_taken_ten_at_a_time_and_not_one_by_one() {
        let room = Room::new();
        let mut places: Vec<_> = [10, 10, 10].into_iter().flat_map(|_| room.try_take(LIMITS)).collect();
        assert_eq!(places.len(), 30);
        places.iter_mut().take(9).for_each(Place::begin);
        assert_eq!(room.try_take(LIMITS).len(), 0, "one more makes it worth a call");
        places[9].begin();
        let mut more = room.try_take(LIMITS);
        assert_eq!(more.len(), 10);
        more.iter_mut().for_each(Place::begin);
        assert_eq!(room.try_take(LIMITS).len(), 0, "though few wait, many are being stored");
        drop((places, more));
        assert_eq!(room.0.borrow().all, 0);
    }

    #[test]
    fn a_slow_worker_takes_one_or_two() {
        let room = Room::new();
        let limits = Limits { waiting: 2, all: 67 };
        let mut first = room.try_take(limits);
        assert_eq!(first.len(), 2);
        first[0].begin();
        assert_eq!(room.try_take(limits).len(), 1);
    }
}
