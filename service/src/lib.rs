//! What operator, gateway and worker do alike: log, stop on a signal, and show health and metrics over HTTP.
//! Knows nothing of what they are for.

pub mod aws;
pub mod calls;
pub mod logs;
pub mod metrics;
pub mod monitor;
pub mod shutdown;
