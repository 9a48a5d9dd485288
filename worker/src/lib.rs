//! The worker: turns jobs into results. Knows SQS, S3, its own instance and a model folder; knows no model by name, and
//! nothing of Kubernetes.
//!
//! receive → fetch → decode → infer → result to S3 → reply → delete **last**, so that a worker that dies loses nothing.

pub mod activity;
mod cause;
pub mod drain;
pub mod image;
pub mod instance;
pub mod intent;
pub mod isolated;
pub mod jobs;
pub mod metrics;
pub mod model;
pub mod monitor;
pub mod registration;
pub mod restarts;
pub mod run;
pub mod settings;
