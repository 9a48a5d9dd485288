//! The last events, in order. Pure; knows nothing of who listens.

use std::collections::VecDeque;
use std::sync::Arc;

use uuid::Uuid;

/// Events that are kept, for listeners that were away or are slow.
const KEPT: usize = 1000;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An image was accepted or finished; the data is what `GET /v1/images/{id}` answers.
    Image,
    /// The fleet changed; the data is what `GET /v1/fleet` answers.
    Fleet,
    /// Events were missed that are no longer kept: what is known must be loaded again.
    Reset,
}

impl Kind {
    /// Its name on the wire.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Fleet => "fleet",
            Self::Reset => "reset",
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Event {
    /// Its number, one more than that of the event before; of a reset, the number of the last that was missed.
    pub(super) sequence: u64,
    pub(crate) kind: Kind,
    /// JSON on one line.
    pub(crate) data: String,
    /// The image that it says the result of.
    finished: Option<Uuid>,
}

/// The last events.
#[derive(Debug, Default)]
pub(super) struct Ring {
    events: VecDeque<Arc<Event>>,
    /// Number of the latest event; 0 before the first.
    latest: u64,
}

impl Ring {
    /// Number of the latest event.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// One more event.
    pub(super) fn push(&mut self, kind: Kind, data: String, finished: Option<Uuid>) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.latest += 1;
        self.events.push_back(Arc::new(Event { sequence: self.latest, kind, data, finished }));
    }

    /// Whether the result of this image was told lately: announcements may come twice, and S3 may be seen to have it as well.
    pub(super) fn has_finished(&self, id: Uuid) -> bool {
        self.events.iter().rev().any(|event| event.finished == Some(id))
    }

    /// What comes after the event of number `place`; none when that was the latest.
    pub(super) fn after(&self, place: u64) -> Option<Arc<Event>> {
        if place >= self.latest {
            return None;
        }
        let first = self.events.front()?.sequence;
        let kept = (place + 1).checked_sub(first).and_then(|index| self.events.get(usize::try_from(index).ok()?));
        Some(kept.map_or_else(|| self.reset(), Arc::clone))
    }

    /// A reset at the latest event.
    pub(super) fn reset(&self) -> Arc<Event> {
        Arc::new(Event { sequence: self.latest, kind: Kind::Reset, data: "{}".to_owned(), finished: None })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(ring: &Ring, place: u64) -> Option<(u64, Kind)> {
        ring.after(place).map(|event| (event.sequence, event.kind))
    }

    #[test]
    fn events_are_told_in_order_from_any_place_that_is_kept() {
        let mut ring = Ring::default();
        assert_eq!(told(&ring, 0), None);
        (0..3).for_each(|n| ring.push(Kind::Image, n.to_string(), None));
        assert_eq!([0, 1, 2, 3, 9].map(|place| told(&ring, place).map(|(sequence, _)| sequence)), [Some(1), Some(2), Some(3), None, None]);
    }

    #[test]
    fn who_falls_behind_is_told_once_and_goes_on_at_the_end() {
        let mut ring = Ring::default();
        (0..KEPT + 5).for_each(|n| ring.push(Kind::Image, n.to_string(), None));
        let latest = KEPT as u64 + 5;
        assert_eq!(ring.events.len(), KEPT);
        assert_eq!(told(&ring, 4), Some((latest, Kind::Reset)), "5 is gone");
        assert_eq!(told(&ring, 5), Some((6, Kind::Image)), "6 is the first that is kept");
        assert_eq!(told(&ring, latest), None);
        ring.push(Kind::Fleet, "{}".to_owned(), None);
        assert_eq!(told(&ring, latest), Some((latest + 1, Kind::Fleet)));
    }

    #[test]
    fn a_result_is_known_while_its_event_is_kept() {
        let (mut ring, id) = (Ring::default(), Uuid::now_v7());
        ring.push(Kind::Image, String::new(), None);
        assert!(!ring.has_finished(id));
        ring.push(Kind::Image, String::new(), Some(id));
        assert!(ring.has_finished(id) && !ring.has_finished(Uuid::now_v7()));
        (0..KEPT).for_each(|_| ring.push(Kind::Fleet, String::new(), None));
        assert!(!ring.has_finished(id));
    }
}
