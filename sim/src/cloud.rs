//! EC2 in virtual time: `cloudsim`'s state machine with the paused clock in place. Decides nothing about EC2, runs no guests.

use std::sync::Mutex;

use cloudsim::state::{Cloud, Effect, Settings};
use cloudsim::{Endpoint, Reply};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use crate::clock::Clock;
use crate::lock;

/// EC2, whose effects somebody performs.
#[derive(Debug)]
pub struct Ec2 {
    clock: Clock,
    endpoint: Mutex<Endpoint>,
    changed: Notify,
    effects: mpsc::UnboundedSender<Effect>,
}

impl Ec2 {
    /// An empty cloud, and the effects that are to be performed in the order they come ([`crate::machines::run`] does).
    /// Its time passes while [`Self::pass_time`] runs.
    #[must_use]
    pub fn new(settings: Settings, clock: Clock) -> (Self, mpsc::UnboundedReceiver<Effect>) {
        #[expect(clippy::disallowed_methods, reason = "an instance has at most one boot and one shutdown under way")]
        let (effects, performed) = mpsc::unbounded_channel();
        (Self { clock, endpoint: Mutex::new(Endpoint::new(settings)), changed: Notify::new(), effects }, performed)
    }

    /// One request of EC2's Query protocol: a form-urlencoded body.
    pub fn handle(&self, body: &str) -> Reply {
        self.perform(|endpoint, now| {
            let handled = endpoint.handle(body, now);
            (handled.reply, handled.effects)
        })
    }

    /// Lets `act` change the cloud now, and hands on what that leads to.
    pub fn act<T>(&self, act: impl FnOnce(&mut Cloud, Timestamp) -> (T, Vec<Effect>)) -> T {
        self.perform(|endpoint, now| act(&mut endpoint.cloud, now))
    }

    /// Looks at the cloud, or at what leads to no effect.
    pub fn with<T>(&self, look: impl FnOnce(&mut Endpoint) -> T) -> T {
        look(&mut lock(&self.endpoint))
    }

    /// Lets the cloud do what is due, for ever.
    pub async fn pass_time(&self) {
        loop {
            let changed = self.changed.notified();
            let due = self.with(|endpoint| endpoint.cloud.next_due());
            let Some(at) = due else {
                changed.await;
                continue;
            };
            if tokio::time::timeout_at(self.clock.instant(at), changed).await.is_err() {
                self.perform(|_, _| ((), Vec::new()));
            }
        }
    }

    /// Effects are sent under the lock, so that they come in the order of the changes.
    fn perform<T>(&self, act: impl FnOnce(&mut Endpoint, Timestamp) -> (T, Vec<Effect>)) -> T {
        let mut endpoint = lock(&self.endpoint);
        let now = self.clock.now();
        let mut effects = endpoint.cloud.tick(now);
        let (result, more) = act(&mut endpoint, now);
        effects.extend(more);
        for effect in effects {
            // Nobody listens any more only when the run is over.
            let _ = self.effects.send(effect);
        }
        drop(endpoint);
        self.changed.notify_one();
        result
    }
}
