//! An EC2 over HTTP for the real SDK: what an operator needs of it, as EC2 documents it, with instances that run processes.
//!
//! `state` is the cloud, pure; `endpoint` puts the Query protocol in front of it, still pure; `host` performs effects: HTTP,
//! timers, the metadata service and the guests' processes. Absent on purpose: networks, volumes with content, spot,
//! signatures (any credentials do), other regions.

mod api;
mod endpoint;
mod faults;
pub mod host;
mod ids;
mod metadata;
mod query;
mod refusal;
pub mod state;
mod throttle;
mod xml;

pub use endpoint::{Endpoint, Handled, LogEntry, Reply};
pub use faults::{Fault, Faults, When};
pub use refusal::{IdKind, Refusal};
