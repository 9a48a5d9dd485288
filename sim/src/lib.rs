//! EC2, SQS, gateway, workers and arrivals in virtual time: what a fleet, or a peer's policy, does under a load.
//!
//! Time is tokio's paused clock on a current-thread runtime: everything is an async task that sleeps, and hours pass in milliseconds.
//! EC2 is the state machine of `cloudsim`, with this clock in place of the real one. All that is random is seeded.

pub mod account;
pub mod arrivals;
pub mod bound;
pub mod clock;
pub mod cloud;
pub mod distribution;
pub mod fleet;
pub mod gateway;
pub mod line;
pub mod machines;
pub mod peers;
pub mod policy;
pub mod queue;
pub mod report;
pub mod run;
pub mod worker;
pub mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that goes on after a panic of another holder: there is one thread only, and its panic ends the run anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
