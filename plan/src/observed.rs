//! What a decision is made from: the fleet's settings and what was observed.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};

use crate::{Counted, QueueDepth};

/// The settings that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// Workers that run even when nothing waits.
    pub min: u32,
    /// Instances that may live at once, draining ones included.
    pub max: u32,
    /// Set by hand or by another autoscaler: so many workers, whatever waits.
    pub pinned: Option<u32>,
    /// Jobs that one worker is wanted for.
    pub messages_per_worker: NonZeroU32,
    /// Which counters make the backlog.
    pub counted: Counted,
    /// The highest recommendation of so long is kept.
    pub scale_down_window: SignedDuration,
    /// From launch until a worker must have registered.
    pub boot_timeout: SignedDuration,
    /// From the order to drain until a worker is terminated.
    pub drain_timeout: SignedDuration,
    /// What new workers are made from.
    pub revision: String,
    /// The fleet is being deleted: all workers must go.
    pub deleting: bool,
}

/// What was seen, all of it about one fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The queue; `None` when it could not be sampled.
    pub queue: Option<QueueDepth>,
    /// What EC2 listed; `None` before the first list.
    pub inventory: Option<Inventory>,
    /// Launches that were written down.
    pub intents: Vec<Intent>,
    /// Recommendations made before, in any order.
    pub history: Vec<Recommendation>,
    /// The number that was last decided.
    pub desired: u32,
    /// Why no launch can be tried now, as a sentence: EC2 refused the last one a moment ago, say.
    pub launch_blocked: Option<String>,
}

/// What EC2 listed of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// When the listing began.
    pub at: Timestamp,
    /// Each instance that carries the fleet's uid, terminated ones too.
    pub instances: Vec<Instance>,
}

/// One EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// EC2's id.
    pub id: String,
    /// EC2's state.
    pub state: State,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// What it was made from.
    pub revision: String,
    /// ClientToken of its launch.
    pub token: String,
    /// It has registered and takes jobs.
    pub ready: bool,
    /// Since when it has had the order to drain.
    pub draining_since: Option<Timestamp>,
}

/// State of an instance, as EC2 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being started.
    Pending,
    /// Up, perhaps still booting.
    Running,
    /// On its way to stopped.
    Stopping,
    /// Stopped; its volume is kept.
    Stopped,
    /// On its way to terminated.
    ShuttingDown,
    /// Gone; listed for about an hour.
    Terminated,
}

/// A launch that was written down before EC2 was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// EC2's ClientToken.
    pub token: String,
    /// Instances asked for.
    pub count: u32,
    /// When it was written down.
    pub requested_at: Timestamp,
    /// What EC2 launched; empty until the answer was written down.
    pub instance_ids: Vec<String>,
}

/// A number of workers that the backlog asked for at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recommendation {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub workers: u32,
}

impl Inventory {
    /// The instances that were launched with this token, as far as EC2 lists them.
    pub fn launched_with<'a>(&'a self, token: &'a str) -> impl Iterator<Item = &'a Instance> {
        self.instances.iter().filter(move |instance| instance.token == token)
    }
}

impl Instance {
    /// Neither gone nor going.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Pending | State::Running)
    }

    /// Live and free to take jobs, now or once it has booted.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.is_live() && self.draining_since.is_none()
    }
}
