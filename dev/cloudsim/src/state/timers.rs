//! Owns what is to happen at which time. Knows nothing of what a timer leads to.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// What a time has come for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The instance's phase goes on.
    Phase,
    /// The notice of an interruption is over.
    Interruption,
    /// A simulated guest acts.
    Guest,
    /// Nothing is left of a simulated guest.
    GuestGone,
}

/// Timers by time. Whoever sets one knows whether it still holds when it rings: none is taken back.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Timestamp, u64, Timer)>);

impl Timers {
    /// Sets a timer for the instance of this order.
    pub(super) fn insert(&mut self, at: Timestamp, order: u64, timer: Timer) {
        self.0.insert((at, order, timer));
    }

    /// When the next rings.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, ..)| *at)
    }

    /// Takes the next that has rung by now.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, u64, Timer)> {
        if self.next()? <= now { self.0.pop_first() } else { None }
    }
}
