//! Owns what the cloud holds and how it changes: pure and synchronous. Must not know tokio, HTTP, processes or a clock;
//! time is an argument, randomness is seeded, and what has to be done outside comes out as [`Effect`]s.

mod capacity;
mod describe;
mod describe_tags;
mod filter;
mod guests;
mod images;
mod instance;
mod interruption;
mod launch;
mod lifecycle;
mod market;
mod page;
mod parameters;
mod records;
mod settings;
mod spec;
mod tag_index;
mod tags;
mod templates;
mod timers;
mod tokens;
mod types;

use std::collections::{BTreeMap, HashMap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::ids;
use crate::refusal::{IdKind, Refusal};

pub use capacity::{Capacity, UnknownOffering};
pub use describe::InstanceQuery;
pub use describe_tags::TagRow;
pub use filter::Filter;
pub use instance::{Instance, Phase, StateReason, Volume};
pub use interruption::NotInterruptible;
pub use launch::{LaunchRequest, Launched, TemplateRef};
pub use lifecycle::StateChange;
pub use market::SpotOptions;
pub use page::{Page, Paging};
pub use settings::{Settings, Simulation};
pub(crate) use spec::ROOT_DEVICE;
pub use spec::{BlockDevice, LaunchSpec, MetadataOptions, Profile, ShutdownBehavior, TagSpec};
pub use tags::Tags;
pub use templates::{NewTemplate, NewVersion, Template, TemplateQuery, TemplateVersion, VersionQuery};
pub use types::{TypeInfo, describe_types};

use guests::Guest;
use parameters::Parameters;
use records::Records;
use timers::Timers;
use tokens::Tokens;

/// The account that owns everything here.
pub const ACCOUNT: &str = "123456789012";

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
    records: Records,
    timers: Timers,
    /// Simulated guests that are up, by the order of their instance.
    guests: HashMap<u64, Guest>,
    templates: BTreeMap<String, Template>,
    parameters: Parameters,
    capacity: Capacity,
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
            records: Records::new(settings.describe_lag),
            parameters: Parameters::from(settings.parameters.clone()),
            settings,
            timers: Timers::default(),
            guests: HashMap::new(),
            templates: BTreeMap::new(),
            capacity: Capacity::default(),
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
        self.records.iter()
    }

    /// The instance of this id, whatever the describe lag.
    #[must_use]
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.records.get(self.records.order(id)?)
    }

    fn fresh_id(&mut self, prefix: &str) -> String {
        ids::fresh(prefix, &mut self.rng)
    }

    /// An id as EC2 gives every request one.
    pub(crate) fn fresh_request_id(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string()
    }

    /// The orders of these ids, as one call's `InstanceId` list.
    fn orders_of(&self, ids: &[String]) -> Result<Vec<u64>, Refusal> {
        orders_by(ids, |id| self.records.order(id))
    }
}

/// The orders of these ids, as `order` has them: one bad id fails all.
fn orders_by(ids: &[String], order: impl Fn(&str) -> Option<u64>) -> Result<Vec<u64>, Refusal> {
    ids::check_form(IdKind::Instance, ids)?;
    let mut orders = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match order(id) {
            Some(order) => orders.push(order),
            None => missing.push(id.clone()),
        }
    }
    if missing.is_empty() { Ok(orders) } else { Err(Refusal::NotFound(IdKind::Instance, missing)) }
}
