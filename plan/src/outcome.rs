//! The plan: data, specific enough that acting on it leaves no choice.

use std::fmt;

use crate::{Census, Inputs, Offering};

/// What to do now, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the number was computed from.
    pub inputs: Inputs,
    /// Workers wanted.
    pub desired: u32,
    /// What the backlog asked for, before damping and limits; to be remembered for the windows.
    pub recommendation: Option<u32>,
    /// How `desired` came about and what follows from it, one sentence each.
    pub steps: Vec<String>,
    /// The limit that binds.
    pub limited_by: Option<LimitedBy>,
    /// Instances to launch.
    pub launch: Vec<Launch>,
    /// Stopped instances to start.
    pub start: Vec<Start>,
    /// Tokens of intents whose outcome is unknown: ask EC2 again.
    pub pursue: Vec<String>,
    /// Tokens of intents that have served: forget them.
    pub settle: Vec<String>,
    /// Instances to tell to drain.
    pub drain: Vec<String>,
    /// Instances that did not register in time: to tell to drain, and to count against their offering and revision.
    pub give_up: Vec<String>,
    /// Instances to tell that they stay though they have nothing to do.
    pub keep: Vec<String>,
    /// Instances to terminate.
    pub terminate: Vec<Termination>,
    /// What needs a person.
    pub alarm: Option<Alarm>,
    /// Nothing of the fleet is left in EC2.
    pub gone: bool,
    /// The instances, counted before this plan.
    pub census: Census,
}

impl Plan {
    /// Instances that are told to drain, for whichever reason.
    pub fn told_to_leave(&self) -> impl Iterator<Item = &String> {
        self.give_up.iter().chain(&self.drain)
    }
}

/// Instances to launch together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Where and as what.
    pub offering: Offering,
    /// How many.
    pub count: u32,
}

/// Stopped instances of one offering to start together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Where and as what they are.
    pub offering: Offering,
    /// EC2's ids.
    pub ids: Vec<String>,
}

/// An instance to terminate, and why it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Termination {
    /// EC2's id.
    pub id: String,
    /// Why.
    pub reason: Reason,
}

/// Why an instance is terminated rather than left to drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It has not registered within the boot timeout.
    BootTimeout,
    /// It has not left within the drain timeout.
    DrainDeadline,
    /// It is stopped, and can't be used again: of another revision, or stopped before it was ever ready.
    NotReusable,
    /// It is stopped, and the warm pool is full.
    PoolFull,
    /// It has been stopped for longer than the warm pool keeps workers.
    PoolIdle,
    /// It is stopped, and its fleet is being deleted.
    Deleting,
}

/// What needs a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// More instances live than there may be: nothing is launched.
    Runaway {
        /// Instances that live.
        live: u32,
        /// Instances that may.
        allowed: u32,
    },
    /// Workers of the current revision never become ready: nothing more is replaced.
    RolloutStalled {
        /// So many in a row.
        never_ready: u32,
    },
}

/// The limit that binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// More workers are wanted than `max`.
    Max,
    /// Fewer workers are wanted than `min`.
    Min,
    /// The number may not rise faster.
    ScaleUpPolicy,
    /// The number may not fall faster.
    ScaleDownPolicy,
    /// The deadline cannot be met: workers take too long to boot, or there may be too few.
    BootTime,
    /// An annotation holds the number.
    Pause,
}

impl fmt::Display for LimitedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "workers.max",
            Self::Min => "workers.min",
            Self::ScaleUpPolicy => "scaling.behavior.scaleUp",
            Self::ScaleDownPolicy => "scaling.behavior.scaleDown",
            Self::BootTime => "scaling.target.drainSeconds",
            Self::Pause => "annotation",
        })
    }
}

impl Reason {
    /// What it ends was stopped: a start that somebody else asked for meanwhile would be undone.
    #[must_use]
    pub const fn is_of_the_stopped(self) -> bool {
        matches!(self, Self::NotReusable | Self::PoolFull | Self::PoolIdle | Self::Deleting)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BootTimeout => "it did not register within workers.bootTimeoutSeconds",
            Self::DrainDeadline => "it did not finish draining within workers.drainTimeoutSeconds",
            Self::NotReusable => "it was stopped and cannot be used again",
            Self::PoolFull => "it was stopped and workers.warmPool.max are kept already",
            Self::PoolIdle => "it was stopped for longer than workers.warmPool.idleSeconds",
            Self::Deleting => "it was stopped and the fleet is being deleted",
        })
    }
}
