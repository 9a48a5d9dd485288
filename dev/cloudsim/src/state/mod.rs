//! Owns what the cloud holds and how it changes: pure and synchronous. Must not know tokio, HTTP, processes or a clock;
//! time is an argument, randomness is seeded, and what has to be done outside comes out as [`Effect`]s.

mod describe;
mod filter;
mod instance;
mod launch;
mod lifecycle;
mod page;
mod spec;
mod tags;
mod templates;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::ids;
use crate::refusal::{IdKind, Refusal};

pub use describe::{InstanceQuery, TagRow};
pub use filter::Filter;
pub use instance::{Instance, Phase, StateReason, Volume};
pub use launch::{LaunchRequest, Launched, TemplateRef};
pub use lifecycle::StateChange;
pub use page::{Page, Paging};
pub use spec::{BlockDevice, LaunchSpec, MetadataOptions, Profile, ShutdownBehavior, TagSpec};
pub use tags::Tags;
pub use templates::{NewTemplate, NewVersion, Template, TemplateQuery, TemplateVersion, VersionQuery};

use tokens::Tokens;

/// The account that owns everything here.
pub const ACCOUNT: &str = "123456789012";

/// How the simulated cloud behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region, such as `us-east-1`.
    pub region: String,
    /// Images that exist.
    pub images: BTreeSet<String>,
    /// From the launch (or start) to `running`.
    pub pending_delay: SignedDuration,
    /// From `running` to the guest's first process.
    pub boot_delay: SignedDuration,
    /// By how much DescribeInstances trails launches ("Eventual consistency in the Amazon EC2 API").
    pub describe_lag: SignedDuration,
    /// How long a terminated instance stays visible; EC2 says "a short while", in practice an hour.
    pub terminated_visible: SignedDuration,
    /// Whether requests are throttled as EC2 does it, by token buckets.
    pub throttle: bool,
    /// The seed of all ids.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".to_owned(),
            images: BTreeSet::new(),
            pending_delay: SignedDuration::from_secs(1),
            boot_delay: SignedDuration::ZERO,
            describe_lag: SignedDuration::ZERO,
            terminated_visible: SignedDuration::from_hours(1),
            throttle: false,
            seed: 0,
        }
    }
}

/// What the world outside has to do. Effects are to be performed in the order they come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Switch the machine on: metadata service and user data.
    Boot(Boot),
    /// Switch the machine off, then report [`Cloud::guest_ended`], also when no guest was there.
    Shutdown {
        /// The instance.
        instance_id: String,
        /// Without waiting for the guest to end by itself.
        force: bool,
    },
}

/// What a machine boots with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The instance.
    pub instance_id: String,
    /// Its image.
    pub image_id: String,
    /// User data as given: base64.
    pub user_data: Option<String>,
    /// Whether this is the first boot since the launch.
    pub first: bool,
}

/// One account in one region.
#[derive(Debug)]
pub struct Cloud {
    settings: Settings,
    rng: StdRng,
    /// By launch order, which is also the order of listing.
    instances: BTreeMap<u64, Instance>,
    order: HashMap<String, u64>,
    next: u64,
    timers: BTreeSet<(Timestamp, u64)>,
    templates: BTreeMap<String, Template>,
    capacity: BTreeMap<String, u32>,
    launches: Tokens<LaunchRequest, Launched>,
    new_templates: Tokens<NewTemplate, String>,
    new_versions: Tokens<NewVersion, (String, u64)>,
}

impl Cloud {
    /// An empty cloud.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            rng: StdRng::seed_from_u64(settings.seed),
            settings,
            instances: BTreeMap::new(),
            order: HashMap::new(),
            next: 0,
            timers: BTreeSet::new(),
            templates: BTreeMap::new(),
            capacity: BTreeMap::new(),
            launches: Tokens::default(),
            new_templates: Tokens::default(),
            new_versions: Tokens::default(),
        }
    }

    /// How this cloud behaves.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All instances that are still visible, in launch order, whatever the describe lag.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// The instance of this id.
    #[must_use]
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(self.order.get(id)?)
    }

    /// How many instances of each type may be live at once; types not named are unlimited.
    pub fn set_capacity(&mut self, capacity: BTreeMap<String, u32>) {
        self.capacity = capacity;
    }

    /// The limits set by [`Self::set_capacity`].
    #[must_use]
    pub fn capacity(&self) -> &BTreeMap<String, u32> {
        &self.capacity
    }

    /// How many more instances of this type there is room for.
    fn room_for(&self, instance_type: &str) -> u32 {
        let Some(limit) = self.capacity.get(instance_type) else {
            return u32::MAX;
        };
        let takes_room = |instance: &&Instance| instance.phase.takes_room() && instance.instance_type() == instance_type;
        let taken = self.instances().filter(takes_room).count();
        limit.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    fn fresh_id(&mut self, prefix: &str) -> String {
        ids::fresh(prefix, &mut self.rng)
    }

    /// An id as EC2 gives every request one.
    pub(crate) fn fresh_request_id(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string()
    }

    /// The orders of these ids, as one call's `InstanceId` list: one bad id fails all.
    fn orders_of(&self, ids: &[String]) -> Result<Vec<u64>, Refusal> {
        ids::check_form(IdKind::Instance, ids)?;
        let missing: Vec<String> = ids.iter().filter(|id| !self.order.contains_key(*id)).cloned().collect();
        if !missing.is_empty() {
            return Err(Refusal::NotFound(IdKind::Instance, missing));
        }
        Ok(ids.iter().filter_map(|id| self.order.get(id).copied()).collect())
    }
}
