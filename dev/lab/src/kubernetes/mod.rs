//! A Kubernetes API server in memory, as far as an operator needs one: it keeps any kind of object, and promises what the real one does of
//! versions, conflicts, finalizers, generations and watches. No validation, no defaults, no admission, no field ownership.

pub mod request;
mod server;
pub mod store;

pub use server::{Cluster, client};
