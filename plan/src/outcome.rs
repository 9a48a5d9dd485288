//! The plan: data, specific enough that acting on it leaves no choice.

use std::fmt;

use crate::Census;

/// What to do now, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Workers wanted.
    pub desired: u32,
    /// What the backlog asked for, before damping and limits; to be remembered for the scale-down window.
    pub recommendation: Option<u32>,
    /// How `desired` came about and what follows from it, one sentence each.
    pub steps: Vec<String>,
    /// The limit that binds.
    pub limited_by: Option<LimitedBy>,
    /// Instances to launch; 0 for none.
    pub launch: u32,
    /// Tokens of intents whose outcome is unknown: ask EC2 again.
    pub pursue: Vec<String>,
    /// Tokens of intents that have served: forget them.
    pub settle: Vec<String>,
    /// Instances to tell to drain.
    pub drain: Vec<String>,
    /// Instances to terminate.
    pub terminate: Vec<Termination>,
    /// Nothing of the fleet is left in EC2.
    pub gone: bool,
    /// The instances, counted before this plan.
    pub census: Census,
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
}

/// The limit that binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// More workers are wanted than `max`.
    Max,
    /// Fewer workers are wanted than `min`.
    Min,
}

impl fmt::Display for LimitedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "workers.max",
            Self::Min => "workers.min",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BootTimeout => "it did not register within workers.bootTimeoutSeconds",
            Self::DrainDeadline => "it did not finish draining within workers.drainTimeoutSeconds",
        })
    }
}
