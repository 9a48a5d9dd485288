//! All that a run consists of, put together; knows nothing of who scales it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudsim::state::{Capacity, Settings as CloudSettings};
use jiff::SignedDuration;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::account::Account;
use crate::clock::Clock;
use crate::cloud::Ec2;
use crate::distribution::Distribution;
use crate::gateway::Gateway;
use crate::line::Line;
use crate::lock;
use crate::machines;
use crate::queue;
use crate::worker::Activity;

/// The image that workers are launched from.
pub const IMAGE: &str = "ami-0123456789abcdef0";

/// How workers behave.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// From the launch call to ready.
    pub boot_cold: Distribution,
    /// From the start call of a stopped one to ready.
    pub boot_warm: Distribution,
    /// Seconds that one core is busy with an image.
    pub service: Distribution,
    /// Images at a time.
    pub parallelism: usize,
    /// From the end of the work to the result in S3, and its announcement.
    pub publish: Duration,
    /// A poll waits so long.
    pub poll: Duration,
    /// Idle for so long without the order to stay, it leaves by itself; none: never.
    pub idle_shutdown: Option<Duration>,
    /// What it has begun may take so long when its machine is shut down under it.
    pub shutdown_grace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            boot_cold: Distribution::LogNormal { median: 30.0, p99: 90.0 },
            boot_warm: Distribution::LogNormal { median: 20.0, p99: 60.0 },
            service: Distribution::Exponential(1.0),
            parallelism: 1,
            publish: Duration::from_millis(30),
            poll: Duration::from_secs(5),
            idle_shutdown: Some(Duration::from_secs(900)),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// What a world is made from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// EC2.
    pub cloud: CloudSettings,
    /// How many instances EC2 has room for.
    pub capacity: Capacity,
    /// From a spot instance's launch to the notice, two minutes ahead, that EC2 takes it back; none: never.
    pub spot_life: Option<Distribution>,
    /// The request queue.
    pub requests: queue::Settings,
    /// Workers.
    pub worker: WorkerSettings,
    /// From an upload to its job in the queue: the image goes to S3 first.
    pub store: Duration,
    /// The seed of all that is random.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let cloud = CloudSettings {
            images: [IMAGE.to_owned()].into(),
            pending_delay: SignedDuration::from_secs(5),
            terminated_visible: SignedDuration::from_mins(2),
            ..CloudSettings::default()
        };
        Self {
            cloud,
            capacity: Capacity::default(),
            spot_life: None,
            requests: queue::Settings::default(),
            worker: WorkerSettings::default(),
            store: Duration::from_millis(30),
            seed: 1,
        }
    }
}

/// All that a run consists of.
#[derive(Debug)]
pub struct World {
    /// The time.
    pub clock: Clock,
    /// What it was made from.
    pub settings: Settings,
    /// EC2.
    pub ec2: Ec2,
    /// The request queue.
    pub requests: Line,
    /// The gateway.
    pub gateway: Gateway,
    /// Who billed what.
    pub account: Mutex<Account>,
    /// What workers that are switched on do, by instance.
    pub workers: Mutex<BTreeMap<String, Arc<Activity>>>,
    /// The number of workers that whoever scales wants, for the chart.
    pub desired: Mutex<u32>,
}

/// What must come out the same for every policy is drawn by its own number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw {
    Service(u64),
    Boot(u64),
    SpotLife(u64),
}

impl World {
    /// A new world, whose EC2 and machines go on by tasks of their own. To be made inside the runtime whose time is paused.
    #[must_use]
    pub fn start(mut settings: Settings) -> Arc<Self> {
        settings.cloud.seed = settings.seed;
        let clock = Clock::default();
        let (ec2, effects) = Ec2::new(settings.cloud.clone(), clock);
        ec2.with(|endpoint| endpoint.cloud.set_capacity(settings.capacity.clone()));
        let world = Arc::new(Self {
            clock,
            ec2,
            requests: Line::new(settings.requests.clone(), clock),
            gateway: Gateway::new(clock),
            account: Mutex::default(),
            workers: Mutex::default(),
            desired: Mutex::default(),
            settings,
        });
        tokio::spawn(machines::run(world.clone(), effects));
        let passing = world.clone();
        tokio::spawn(async move { passing.ec2.pass_time().await });
        world
    }

    /// Job `id` is uploaded: its image goes to S3, then the job to the queue.
    pub async fn upload(&self, id: u64) {
        self.gateway.upload(id);
        tokio::time::sleep(self.settings.store).await;
        self.requests.send(id.to_string());
    }

    /// Workers that take jobs.
    #[must_use]
    pub fn ready(&self) -> usize {
        lock(&self.workers).values().filter(|worker| worker.is_ready()).count()
    }

    /// Workers that are ready and have nothing to do.
    #[must_use]
    pub fn idle(&self) -> usize {
        lock(&self.workers).values().filter(|worker| worker.is_ready() && !worker.is_busy()).count()
    }

    /// The random numbers of one draw: the same under every policy.
    pub(crate) fn rng(&self, draw: Draw) -> StdRng {
        let (kind, number) = match draw {
            Draw::Service(number) => (1, number),
            Draw::Boot(number) => (2, number),
            Draw::SpotLife(number) => (3, number),
        };
        StdRng::seed_from_u64(self.settings.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (number << 2) ^ kind)
    }
}
