//! What operator, gateway and worker do alike: log, trace, stop on a signal, and show health and metrics over HTTP.
//! Knows nothing of what they are for.

pub mod address;
pub mod aws;
pub mod calls;
pub mod chance;
pub mod clock;
pub mod logs;
pub mod metrics;
pub mod monitor;
pub mod shutdown;
pub mod traces;
