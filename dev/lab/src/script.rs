//! What a run is told to do: a fleet, uploads, and faults at their times. Data that can be written down, read again and shrunk;
//! knows nothing of how faults are made.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    /// The seed of all that is drawn while it runs: boot and service times, latencies, tokens.
    pub seed: u64,
    /// The fleet.
    pub fleet: FleetSettings,
    /// By how many seconds EC2's lists trail.
    pub describe_lag: u32,
    /// Uploads: at which second, how many.
    pub uploads: Vec<(f64, u32)>,
    /// What goes wrong while the fleet works.
    pub faults: Vec<Fault>,
    /// How many images come so many seconds before the fleet is deleted. Their results are nobody's concern any more.
    pub last_uploads: (u32, u32),
    /// What goes wrong while it is deleted, by seconds since its deletion.
    pub faults_of_deletion: Vec<Fault>,
}

/// What differs between the fleets of runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetSettings {
    /// spec.workers.min
    pub min: u32,
    /// spec.workers.max
    pub max: u32,
    /// spec.scaling.target.messagesPerWorker; with 0, drainSeconds is 60.
    pub messages_per_worker: u32,
    /// spec.workers.warmPool.max
    pub warm: u32,
    /// spec.workers.template.capacity.spot
    pub spot: bool,
    /// spec.workers.update.maxSurge
    pub surge: u32,
    /// spec.workers.drainTimeoutSeconds
    pub drain_timeout: u32,
    /// spec.scaling.behavior.scaleDown.stabilizationWindowSeconds
    pub window: u32,
    /// How many instance types it may use.
    pub types: usize,
    /// The operator's --sample-seconds.
    pub sample_seconds: u32,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// At which second.
    pub at: f64,
    /// What.
    #[serde(flatten)]
    pub kind: Kind,
}

/// A service that is asked over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Service {
    /// The Kubernetes API.
    Kubernetes,
    /// EC2.
    Ec2,
    /// SQS.
    Sqs,
    /// S3.
    S3,
}

/// Before or after a call is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// It is not done.
    Before,
    /// It is done, and nobody hears of it.
    After,
}

/// What goes wrong. The first three classes are those of Sieve (OSDI '22): intermediate, stale and unobserved states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault")]
pub enum Kind {
    /// The operator dies at the so many-th call from now that may change something, before or after it is done; another one starts later.
    IntermediateState {
        /// Which call, from 1.
        call: u32,
        /// Before or after it.
        when: When,
        /// Seconds until the next operator starts.
        down: u32,
    },
    /// Watches, and reads that may be old, trail by so much.
    StaleState {
        /// How long that lasts, in seconds.
        seconds: u32,
        /// By how many seconds they trail.
        behind: u32,
    },
    /// Watches show nothing, and after that they have forgotten what happened (410): it must be listed again.
    UnobservedState {
        /// How long that lasts, in seconds.
        seconds: u32,
    },
    /// A second operator works at the same time.
    TwoOperators {
        /// How long, in seconds.
        seconds: u32,
    },
    /// Calls are done and the answers are lost.
    LostAnswers {
        /// Whose.
        service: Service,
        /// How long, in seconds.
        seconds: u32,
    },
    /// Calls are not done and answered with an error of the service: 503.
    Errors {
        /// Whose.
        service: Service,
        /// How long, in seconds.
        seconds: u32,
    },
    /// Calls are never answered; every other one is done.
    Silence {
        /// Whose.
        service: Service,
        /// How long, in seconds.
        seconds: u32,
    },
    /// EC2 wants fewer calls.
    Throttle {
        /// How long, in seconds.
        seconds: u32,
    },
    /// EC2 has no room for more than so many instances of any type.
    NoCapacity {
        /// How long, in seconds.
        seconds: u32,
        /// So many.
        room: u32,
    },
    /// Machines of workers die, busy or not.
    WorkerDeaths {
        /// How many.
        count: u32,
    },
    /// All spot instances get their notice of two minutes.
    SpotInterruptions,
    /// Somebody else writes the fleet just before each of the operator's next writes.
    Conflicts {
        /// How many writes.
        writes: u32,
    },
    /// The operator's wall clock is wrong.
    ClockJump {
        /// How long, in seconds.
        seconds: u32,
        /// By how many seconds; negative is late.
        by: i32,
    },
    /// Somebody edits the fleet: another number of workers, or another image and so a roll-out.
    Edit {
        /// spec.workers.max
        max: u32,
        /// Another volume size, in GiB: a new revision.
        volume: u32,
    },
}

impl Kind {
    /// Its name, for counting.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::IntermediateState { .. } => "IntermediateState",
            Self::StaleState { .. } => "StaleState",
            Self::UnobservedState { .. } => "UnobservedState",
            Self::TwoOperators { .. } => "TwoOperators",
            Self::LostAnswers { .. } => "LostAnswers",
            Self::Errors { .. } => "Errors",
            Self::Silence { .. } => "Silence",
            Self::Throttle { .. } => "Throttle",
            Self::NoCapacity { .. } => "NoCapacity",
            Self::WorkerDeaths { .. } => "WorkerDeaths",
            Self::SpotInterruptions => "SpotInterruptions",
            Self::Conflicts { .. } => "Conflicts",
            Self::ClockJump { .. } => "ClockJump",
            Self::Edit { .. } => "Edit",
        }
    }

    /// For how long it makes itself felt, in seconds.
    #[must_use]
    pub fn lasts(&self) -> f64 {
        f64::from(match *self {
            Self::StaleState { seconds, behind } => seconds + behind,
            Self::IntermediateState { down, .. } => 60 + down,
            Self::UnobservedState { seconds }
            | Self::TwoOperators { seconds }
            | Self::LostAnswers { seconds, .. }
            | Self::Errors { seconds, .. }
            | Self::Silence { seconds, .. }
            | Self::Throttle { seconds }
            | Self::NoCapacity { seconds, .. }
            | Self::ClockJump { seconds, .. } => seconds,
            Self::SpotInterruptions => 120,
            Self::WorkerDeaths { .. } | Self::Edit { .. } => 0,
            Self::Conflicts { .. } => 60,
        })
    }
}

/// Faults come within so many seconds.
const WORKING: f64 = 300.0;
const DELETING: f64 = 90.0;

impl Script {
    /// The run of `seed`.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let fleet = fleet(&mut rng);
        let uploads: Vec<(f64, u32)> =
            (0..rng.random_range(1..4)).map(|_| (rng.random_range(10.0..WORKING).round(), rng.random_range(1..40))).collect();
        let faults = faults(&mut rng, 6, WORKING, &fleet, &uploads);
        let faults_of_deletion = faults_of_deletion(&mut rng, &fleet);
        let describe_lag = *[0, 0, 2, 5, 15].choose(&mut rng).unwrap_or(&0);
        let last_uploads = (rng.random_range(0..30), rng.random_range(1..90));
        Self { seed, fleet, describe_lag, uploads, faults, last_uploads, faults_of_deletion }
    }

    /// All faults.
    pub fn all_faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().chain(&self.faults_of_deletion)
    }

    /// The most that spec.workers.max ever is.
    #[must_use]
    pub fn largest_max(&self) -> u32 {
        let edits = self.all_faults().filter_map(|fault| if let Kind::Edit { max, .. } = fault.kind { Some(max) } else { None });
        edits.fold(self.fleet.max, u32::max)
    }
}

fn fleet(rng: &mut StdRng) -> FleetSettings {
    let max = rng.random_range(1..7);
    FleetSettings {
        min: rng.random_range(0..3).min(max),
        max,
        messages_per_worker: rng.random_range(0..8),
        warm: rng.random_range(0..3),
        spot: rng.random_bool(0.3),
        surge: rng.random_range(1..3),
        drain_timeout: *[30, 60, 120].choose(rng).unwrap_or(&60),
        window: *[0, 10, 60].choose(rng).unwrap_or(&10),
        types: rng.random_range(1..3),
        sample_seconds: *[1, 2, 5].choose(rng).unwrap_or(&5),
    }
}

fn faults(rng: &mut StdRng, most: usize, within: f64, fleet: &FleetSettings, uploads: &[(f64, u32)]) -> Vec<Fault> {
    let count = rng.random_range(1..=most);
    let mut faults: Vec<Fault> = (0..count).map(|_| Fault { at: rng.random_range(0.0..within).round(), kind: kind(rng, fleet) }).collect();
    for fault in &mut faults {
        // While workers have something to lose.
        if let (Kind::WorkerDeaths { .. }, Some((uploaded, _))) = (&fault.kind, uploads.choose(rng)) {
            fault.at = (uploaded + rng.random_range(20.0..90.0_f64)).round();
        }
    }
    faults.sort_by(|a, b| a.at.total_cmp(&b.at));
    faults
}

/// A fleet that goes is no longer edited.
fn faults_of_deletion(rng: &mut StdRng, fleet: &FleetSettings) -> Vec<Fault> {
    let mut faults = faults(rng, 3, DELETING, fleet, &[]);
    faults.retain(|fault| !matches!(fault.kind, Kind::Edit { .. }));
    faults
}

fn kind(rng: &mut StdRng, fleet: &FleetSettings) -> Kind {
    let seconds = rng.random_range(5..90);
    let service = *[Service::Kubernetes, Service::Ec2, Service::Ec2, Service::Sqs, Service::S3].choose(rng).unwrap_or(&Service::Ec2);
    match rng.random_range(0..17) {
        0..=3 => Kind::IntermediateState {
            call: rng.random_range(1..12),
            when: if rng.random() { When::Before } else { When::After },
            down: rng.random_range(1..90),
        },
        4 => Kind::StaleState { seconds, behind: rng.random_range(1..20) },
        5 => Kind::UnobservedState { seconds },
        6 => Kind::TwoOperators { seconds },
        7 => Kind::LostAnswers { service, seconds },
        8 => Kind::Errors { service, seconds },
        9 => Kind::Silence { service, seconds },
        10 => Kind::Throttle { seconds },
        11 => Kind::NoCapacity { seconds, room: rng.random_range(0..3) },
        12 => Kind::WorkerDeaths { count: rng.random_range(1..4) },
        13 => Kind::SpotInterruptions,
        14 => Kind::Conflicts { writes: rng.random_range(1..8) },
        15 => Kind::ClockJump { seconds, by: rng.random_range(-120..=120) },
        _ => Kind::Edit { max: rng.random_range(fleet.min.max(1)..8), volume: rng.random_range(8..11) },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_draws_the_same_again_and_scripts_can_be_written_down() {
        for seed in 0..50 {
            let script = Script::draw(seed);
            assert_eq!(script, Script::draw(seed));
            assert_eq!(script, serde_json::from_str(&serde_json::to_string(&script).unwrap()).unwrap());
        }
    }

    #[test]
    fn every_class_of_fault_is_drawn() {
        let scripts: Vec<Script> = (0..100).map(Script::draw).collect();
        let names: BTreeSet<&str> = scripts.iter().flat_map(Script::all_faults).map(|fault| fault.kind.name()).collect();
        assert_eq!(names.len(), 14, "{names:?}");
    }
}
