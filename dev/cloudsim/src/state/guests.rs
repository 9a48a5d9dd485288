//! Owns simulated guests: they register, see that they shall drain, and power off. Knows nothing of processes.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;
use serde_json::json;

use super::settings::Simulation;
use super::tags::Tags;
use super::timers::Timer;
use super::{Cloud, Effect};

/// How often a worker looks at its intent.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// A simulated guest that is up.
#[derive(Debug)]
pub(super) struct Guest {
    up_since: Timestamp,
    /// When it next does something: looks at its intent, or powers off.
    next: Option<Timestamp>,
    draining: bool,
}

impl Guest {
    /// The first time from `now` at which the guest looks at its intent: it does so at boot and every two seconds since.
    fn next_look(&self, now: Timestamp) -> Timestamp {
        let up = now.duration_since(self.up_since).unsigned_abs();
        let looks = up.as_nanos().div_ceil(LOOKS_EVERY.unsigned_abs().as_nanos());
        self.up_since + LOOKS_EVERY * i32::try_from(looks).unwrap_or(i32::MAX)
    }
}

impl Cloud {
    /// Images whose simulated guests never register, by the starts of their ids. Guests that are up stay as they are.
    /// `false` when guests are not simulated.
    pub fn set_broken_images(&mut self, starts: BTreeSet<String>) -> bool {
        let simulation = self.settings.simulation.as_mut();
        simulation.map(|simulation| simulation.broken_images = starts).is_some()
    }

    /// A boot delay, with its jitter.
    pub(super) fn boot_delay(&mut self) -> SignedDuration {
        let (delay, jitter) = (self.settings.boot_delay, self.settings.boot_jitter);
        if jitter <= 0.0 || delay.is_zero() {
            return delay;
        }
        let part = self.rng.random_range(1.0 - jitter..=1.0 + jitter).max(0.0);
        SignedDuration::try_from_secs_f64(delay.as_secs_f64() * part).unwrap_or(delay)
    }

    /// Boots a simulated guest: it registers. One of a broken image does nothing ever.
    pub(super) fn boot_guest(&mut self, order: u64, simulation: &Simulation, now: Timestamp) {
        let Some(instance) = self.records.get(order) else {
            return;
        };
        let image = instance.image_id();
        if simulation.broken_images.iter().any(|start| image.starts_with(start)) {
            return;
        }
        let id = instance.id.clone();
        let ready = Tags::from([(simulation.ready_tag.clone(), registration(simulation, now))]);
        if self.create_tags(&[id], &ready, now).is_ok() {
            self.guests.insert(order, Guest { up_since: now, next: None, draining: false });
            self.guest_tags_changed(order, now);
        }
    }

    /// What a guest may see at its next look. A look that would show nothing new is not taken.
    pub(super) fn guest_tags_changed(&mut self, order: u64, now: Timestamp) {
        if !self.is_told_to_drain(order) {
            return;
        }
        if let Some(guest) = self.guests.get_mut(&order).filter(|guest| guest.next.is_none()) {
            let at = guest.next_look(now);
            guest.next = Some(at);
            self.timers.insert(at, order, Timer::Guest);
        }
    }

    /// A guest looks at its intent, or powers off.
    pub(super) fn guest_acts(&mut self, order: u64, at: Timestamp) -> Vec<Effect> {
        let drains = self.is_told_to_drain(order);
        let drain_delay = self.settings.simulation.as_ref().map_or(SignedDuration::ZERO, |simulation| simulation.drain_delay);
        let Some(guest) = self.guests.get_mut(&order).filter(|guest| guest.next == Some(at)) else {
            return Vec::new();
        };
        if guest.draining {
            return self.power_off(order, at);
        }
        guest.draining = drains;
        guest.next = drains.then_some(at + drain_delay);
        if let Some(at) = guest.next {
            self.timers.insert(at, order, Timer::Guest);
        }
        Vec::new()
    }

    /// A guest sees tags as the metadata service shows them, and none if it shows none.
    fn is_told_to_drain(&self, order: u64) -> bool {
        let Some(simulation) = &self.settings.simulation else {
            return false;
        };
        let tags = self.records.get(order).and_then(|instance| instance.served_tags());
        tags.and_then(|tags| tags.get(&simulation.intent_tag)) == Some(&simulation.drain)
    }
}

/// The value of the tag by which ClassifierFleet's worker registers.
fn registration(simulation: &Simulation, now: Timestamp) -> String {
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    json!({ "at": at.to_string(), "imagesPerSecond": simulation.images_per_second, "model": simulation.model }).to_string()
}
