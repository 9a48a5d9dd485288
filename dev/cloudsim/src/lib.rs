//! An EC2 over HTTP for the real SDK: what an operator needs of it, as EC2 documents it, with instances that run processes.
//!
//! `state` is the cloud, pure; `endpoint` puts the Query protocol in front of it, still pure; `host` performs effects: HTTP,
//! timers, the metadata service and the guests' processes, unless `state` simulates the guests. Absent on purpose: networks,
//! volumes with content and the calls about them, persistent spot requests and spot prices, Systems Manager's own API (its
//! parameters are set by command line and control API), quotas that hold (Service Quotas answers at `/_cloudsim/service-quotas`,
//! nothing enforces them), EC2's resource token buckets, signatures (any credentials do), other regions. What is absent is refused by its name.

mod api;
mod endpoint;
mod faults;
pub mod host;
mod ids;
mod log;
mod metadata;
mod query;
mod refusal;
pub mod state;
mod throttle;
mod xml;

pub use endpoint::{Endpoint, Handled, Reply};
pub use faults::{Fault, Faults, When};
pub use log::{Calls, KEPT_REQUESTS, LogEntry, RequestLog};
pub use refusal::{IdKind, Refusal};
