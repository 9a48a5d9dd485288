//! What was seen of a fleet.

use jiff::{SignedDuration, Timestamp};

use crate::{Offering, QueueDepth};

/// What was seen, all of it about one fleet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The queue; `None` when it could not be sampled.
    pub queue: Option<QueueDepth>,
    /// Samples that failed in a row.
    pub failed_samples: u32,
    /// What the gateways say.
    pub waiting: Waiting,
    /// Jobs that arrive each second, as far as the samples tell: the mean of a minute or more, or else a burst of a second
    /// asks for workers that keep up with such bursts for ever.
    pub arrivals_per_second: f64,
    /// What EC2 listed; `None` before the first list.
    pub inventory: Option<Inventory>,
    /// Launches and starts that were written down.
    pub intents: Vec<Intent>,
    /// Recommendations made before, in any order.
    pub history: Vec<Recommendation>,
    /// Changes of the number made before, in any order.
    pub changes: Vec<Change>,
    /// The number that was last decided.
    pub desired: u32,
    /// Offerings that EC2 refused.
    pub closed: Vec<Closed>,
    /// What was learned of workers.
    pub learned: Learned,
    /// How the current revision fares.
    pub rollout: Rollout,
    /// Why no launch can be tried now, as a sentence: EC2 refused the last one a moment ago, say.
    pub launch_blocked: Option<String>,
}

/// Uploads that wait for their answer, as the gateways say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Images.
    pub images: u64,
    /// When the oldest of them was uploaded, or, where no gateway says, when it was first seen in a sample.
    pub oldest: Option<Timestamp>,
}

/// What EC2 listed of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// When the listing began.
    pub at: Timestamp,
    /// Each instance that carries the fleet's uid, terminated ones too.
    pub instances: Vec<Instance>,
}

/// One EC2 instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// EC2's id.
    pub id: String,
    /// EC2's state.
    pub state: State,
    /// When it was launched, or last started.
    pub launched_at: Timestamp,
    /// Where and as what.
    pub offering: Offering,
    /// What it was made from.
    pub revision: String,
    /// ClientToken of its launch.
    pub token: String,
    /// It has registered since it was last started.
    pub ready: bool,
    /// It had registered when it was last stopped: it can be started again.
    pub reusable: bool,
    /// Jobs that it does each second, as it measured.
    pub jobs_per_second: Option<f64>,
    /// It was started again, not launched.
    pub warm: bool,
    /// It is told to stay though it has nothing to do.
    pub kept: bool,
    /// Since when it has had the order to drain. An order from before it was last started is over: it does not stand here.
    pub draining_since: Option<Timestamp>,
    /// Since when it has had to become ready: its launch, or a later start of its worker.
    pub boots_since: Timestamp,
    /// Since when it has been stopped, at the earliest: when it was last told to drain, or was started.
    pub stopped_since: Timestamp,
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

/// A launch or a start that was written down before EC2 was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// EC2's ClientToken; for a start, a name.
    pub token: String,
    /// Launch or start.
    pub action: Action,
    /// Instances asked for.
    pub count: u32,
    /// Where and as what.
    pub offering: Offering,
    /// What they are made from.
    pub revision: String,
    /// When it was written down.
    pub requested_at: Timestamp,
    /// When EC2 was last asked and may have done it, written down before it was: later than `requested_at` when an operator
    /// came back to it. Lists show what EC2 did some time after this.
    pub asked_at: Timestamp,
    /// EC2's answer was written down.
    pub answered: bool,
    /// What EC2 launched, once it has answered; what it was to start.
    pub instance_ids: Vec<String>,
}

/// What an intent is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// New instances.
    Launch,
    /// Stopped instances.
    Start,
}

/// A number of workers that was asked for at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recommendation {
    /// When.
    pub at: Timestamp,
    /// How many.
    pub workers: u32,
}

/// A change of the number wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// By how many workers; below 0: fewer.
    pub by: i64,
}

/// An offering that EC2 refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Which.
    pub offering: Offering,
    /// Nothing is launched there before.
    pub until: Timestamp,
    /// Then so many at once at most: a probe that doubles with each success.
    pub probe: u32,
}

/// What was learned of workers, each as far as one was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Learned {
    /// From the launch call to ready.
    pub boot_cold: Option<SignedDuration>,
    /// From the start call to ready.
    pub boot_warm: Option<SignedDuration>,
    /// Jobs that one worker does each second.
    pub jobs_per_second: Option<f64>,
}

/// How the current revision fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rollout {
    /// A worker of it was ready once.
    pub proven: bool,
    /// Workers of it in a row that never became ready.
    pub never_ready: u32,
    /// When the last of them was given up.
    pub failed_at: Option<Timestamp>,
}

impl Inventory {
    /// The instances that were launched with this token, as far as EC2 lists them.
    pub fn launched_with<'a>(&'a self, token: &'a str) -> impl Iterator<Item = &'a Instance> {
        self.instances.iter().filter(move |instance| instance.token == token)
    }

    /// The instance of this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }
}

impl Instance {
    /// Neither gone nor going, and switched on.
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

impl Intent {
    /// A start of `instance` that EC2's list does not show yet: it lists the instance as it was before, stopped or on its way
    /// there. EC2 tells times of launches in whole seconds; one that was told to drain since has been started, and leaves again.
    pub(crate) fn starts_unseen(&self, instance: &Instance) -> bool {
        let left = matches!(instance.state, State::Stopped | State::Stopping) || (instance.is_live() && !instance.is_active());
        let before = instance.launched_at.as_second() < self.requested_at.as_second() && instance.stopped_since <= self.requested_at;
        self.action == Action::Start && left && before && self.instance_ids.contains(&instance.id)
    }
}
