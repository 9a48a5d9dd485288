//! The gateway: images come in over HTTP and leave as jobs; results come back and leave as answers.
//! Knows S3, SQS and HTTP, and of Kubernetes the one Lease that wakes the operator and
//! the fleet's status, which it shows; knows nothing of EC2 or models.

mod answer;
mod aws;
mod cache;
mod content;
mod core;
mod digest;
mod events;
mod files;
mod fleet;
mod http;
mod idempotency;
mod identity;
mod jobs;
mod listing;
mod lookup;
mod metrics;
mod rate;
mod refusal;
mod registry;
mod replies;
mod run;
mod settings;
mod sniff;
mod spans;
mod upload;
mod waiting;
mod wake;

pub use run::{Gateway, RunError, StartError};
pub use settings::{KeyStyle, ResponseFormat, Settings, Transport};
