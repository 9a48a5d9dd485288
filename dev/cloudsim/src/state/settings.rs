//! Owns how the simulated cloud behaves. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

/// How the simulated cloud behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region, such as `us-east-1`.
    pub region: String,
    /// Images that exist.
    pub images: BTreeSet<String>,
    /// Systems Manager parameters that name an image, for `resolve:ssm:NAME`.
    pub parameters: BTreeMap<String, String>,
    /// Whether private addresses are of this machine's loopback, so that what listens in a guest is reached at its own.
    pub loopback_addresses: bool,
    /// From the launch (or start) to `running`.
    pub pending_delay: SignedDuration,
    /// From `running` to the guest's first process.
    pub boot_delay: SignedDuration,
    /// By which part of itself a boot delay is longer or shorter at most, 0 to 1.
    pub boot_jitter: f64,
    /// By how much DescribeInstances and DescribeTags trail what happens to instances ("Eventual consistency in the Amazon
    /// EC2 API").
    pub describe_lag: SignedDuration,
    /// How long a terminated instance stays visible; EC2 says "a short while", in practice an hour.
    pub terminated_visible: SignedDuration,
    /// Whether requests are throttled as EC2 does it, by token buckets.
    pub throttle: bool,
    /// Guests that are played here; `None` has the world outside boot and end them.
    pub simulation: Option<Simulation>,
    /// The seed of all ids and of what is random.
    pub seed: u64,
}

/// Guests that are played instead of run: each registers with a tag and drains when it is asked to by another.
///
/// The tags are an agreement between ClassifierFleet's operator and worker, which cloudsim does not know otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// The tag that a guest sets on its own instance at each boot.
    pub ready_tag: String,
    /// The tag by which a guest is told what is wanted of it.
    pub intent_tag: String,
    /// The value of the intent that makes it leave.
    pub drain: String,
    /// The rate that it says to have.
    pub images_per_second: f64,
    /// The model that it says to have: `name@version`.
    pub model: String,
    /// From seeing the intent to powering off.
    pub drain_delay: SignedDuration,
    /// Starts of the ids of images whose guests never register nor drain.
    pub broken_images: BTreeSet<String>,
}

impl Default for Simulation {
    fn default() -> Self {
        Self {
            ready_tag: "classifierfleet:ready".to_owned(),
            intent_tag: "classifierfleet:intent".to_owned(),
            drain: "drain".to_owned(),
            images_per_second: 30.0,
            model: "efficientnet-lite0@1".to_owned(),
            drain_delay: SignedDuration::ZERO,
            broken_images: BTreeSet::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            images: BTreeSet::new(),
            parameters: BTreeMap::new(),
            loopback_addresses: false,
            pending_delay: SignedDuration::from_secs(1),
            boot_delay: SignedDuration::ZERO,
            boot_jitter: 0.0,
            describe_lag: SignedDuration::ZERO,
            terminated_visible: SignedDuration::from_hours(1),
            throttle: false,
            simulation: None,
            seed: 0,
        }
    }
}
