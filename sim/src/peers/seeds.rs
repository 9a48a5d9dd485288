//! The policies of the student systems that this project re-does. Their instances leave by themselves when polls come back empty.

use std::time::Duration;

use super::{Decider, Seen};

/// An instance leaves after three empty polls of 20 s.
pub(super) const EMPTY_POLLS: Duration = Duration::from_secs(60);

/// min(ceil(images / 4), max), one always on. Stopped instances are started again before new ones are launched.
pub(super) struct Ratio {
    pub(super) max: u32,
}

/// As many launches as there are more messages than instances.
pub(super) struct PerMessage {
    pub(super) max: u32,
}

/// One launch at a time while there are more messages than instances.
pub(super) struct OneAtATime {
    pub(super) max: u32,
}

/// As many instances as messages visible and in flight.
pub(super) struct VisibleAndInFlight {
    pub(super) max: u32,
}

impl Decider for Ratio {
    fn decide(&mut self, Seen { visible, .. }: Seen) -> u32 {
        whole(visible.div_ceil(4)).clamp(1, self.max)
    }
}

impl Decider for PerMessage {
    fn decide(&mut self, Seen { visible, .. }: Seen) -> u32 {
        whole(visible).min(self.max)
    }
}

impl Decider for OneAtATime {
    fn decide(&mut self, Seen { visible, live, .. }: Seen) -> u32 {
        if visible > u64::from(live) { (live + 1).min(self.max) } else { live }
    }
}

impl Decider for VisibleAndInFlight {
    fn decide(&mut self, Seen { visible, in_flight, .. }: Seen) -> u32 {
        whole(visible + in_flight).min(self.max)
    }
}

pub(super) fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
