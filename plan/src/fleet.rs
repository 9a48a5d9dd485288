//! The settings that decisions depend on.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use crate::Counted;

/// The settings that decisions depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// Workers that run even when nothing waits.
    pub min: u32,
    /// Instances that may live at once, draining ones included; a roll-out may add [`Update::max_surge`].
    pub max: u32,
    /// Set by hand or by another autoscaler: so many workers, whatever waits.
    pub pinned: Option<u32>,
    /// How the number follows from the backlog.
    pub target: Target,
    /// Which counters make the backlog.
    pub counted: Counted,
    /// Uploads that may wait in the gateways at once; more are refused.
    pub places: u64,
    /// Up to this backlog nothing is launched for it.
    pub activation: u64,
    /// When the number rises.
    pub scale_up: Rules,
    /// When the number falls.
    pub scale_down: Rules,
    /// What to do without samples; none: keep the number.
    pub fallback: Option<Fallback>,
    /// What people have paused.
    pub pause: Pause,
    /// From launch until a worker must have registered.
    pub boot_timeout: SignedDuration,
    /// From the order to drain until a worker is terminated.
    pub drain_timeout: SignedDuration,
    /// What new workers are made from.
    pub revision: String,
    /// Where and as what workers are launched, the preferred one first.
    pub offerings: Vec<Offering>,
    /// Workers that are on-demand though there are spot offerings.
    pub on_demand_base: u32,
    /// Stopped workers.
    pub pool: Pool,
    /// How outdated workers are replaced.
    pub update: Update,
    /// The fleet is being deleted: all workers must go.
    pub deleting: bool,
}

/// How the number of workers follows from the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One worker for so many jobs.
    MessagesPerWorker(NonZeroU32),
    /// As few workers as do each job within so long of its upload.
    Drain(SignedDuration),
}

/// How the number may change in one direction, as the HPA has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Recommendations of so long count.
    pub window: SignedDuration,
    /// Which policy counts.
    pub select: Select,
    /// How much the number may change; none: as much as wanted.
    pub policies: Vec<Policy>,
    /// No change while backlog per worker is within this fraction of the target.
    pub tolerance: f64,
}

/// Which policy counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// The one that allows most.
    Max,
    /// The one that allows least.
    Min,
    /// No change.
    Disabled,
}

/// How much the number may change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// By how much.
    pub allowance: Allowance,
    /// Within which time.
    pub period: SignedDuration,
}

/// By how much the number may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowance {
    /// So many workers.
    Workers(u32),
    /// So many percent of the workers there were.
    Percent(u32),
}

/// What to do when the queue cannot be sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// Failures in a row that are put up with.
    pub threshold: u32,
    /// How many workers then.
    pub behavior: FallbackBehavior,
    /// The number that `behavior` speaks of.
    pub workers: u32,
}

/// How many workers there are without samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackBehavior {
    /// The number.
    Static,
    /// As many as there were.
    Current,
    /// As many as there were, at least the number.
    CurrentIfHigher,
    /// As many as there were, at most the number.
    CurrentIfLower,
}

/// What people have paused by annotations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pause {
    /// The number stays.
    pub paused: bool,
    /// The number is this one.
    pub workers: Option<u32>,
    /// The number does not fall.
    pub scale_in: bool,
    /// The number does not rise.
    pub scale_out: bool,
}

/// Where and as what a worker is launched.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offering {
    /// Instance type.
    pub instance_type: String,
    /// Subnet; none: the default one.
    pub subnet_id: Option<String>,
    /// Spot rather than on-demand.
    pub spot: bool,
}

/// Stopped workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// At most so many; 0: workers that leave are terminated.
    pub max: u32,
    /// Made in advance.
    pub prepared: u32,
    /// Beyond the prepared ones, each is kept so long.
    pub idle: SignedDuration,
}

/// How outdated workers are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// Workers that may be missing meanwhile.
    pub max_unavailable: u32,
    /// Workers that may be too many meanwhile.
    pub max_surge: u32,
}

impl std::fmt::Display for Offering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instance_type, subnet_id, spot } = self;
        write!(f, "{instance_type}{}", if *spot { " (spot)" } else { "" })?;
        subnet_id.iter().try_for_each(|subnet| write!(f, " in {subnet}"))
    }
}
