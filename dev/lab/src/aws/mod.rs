//! AWS in memory, behind the real SDK: a connector in place of HTTPS that hands each request to a model of its service.

mod connector;
mod s3;
mod sqs;

use std::sync::{Arc, Mutex};

pub use connector::sources;

/// What the models hold, which all processes share.
#[derive(Debug)]
pub struct Aws {
    /// The world whose EC2 and request queue it is.
    pub world: Arc<sim::world::World>,
    queues: Mutex<sqs::Queues>,
    buckets: Mutex<s3::Buckets>,
}

impl Aws {
    /// AWS around `world`, whose request queue is called `requests`.
    #[must_use]
    pub fn new(world: Arc<sim::world::World>, requests: &str) -> Arc<Self> {
        Arc::new(Self { world, queues: Mutex::new(sqs::Queues::new(requests)), buckets: Mutex::default() })
    }
}
