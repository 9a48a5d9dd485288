//! The fault lab: the operator, whole and unchanged, in virtual time against a Kubernetes API and an AWS in memory, while faults of every
//! class strike; and the promises that hold all the same.
//!
//! `script` says what happens, `run` lets it happen, `judge` watches. Each operator is a `process`, whose calls go through the `weather` to
//! `kubernetes` or `aws`. What the lab cannot do: elections, which go by the machine's clock. Several operators work at once instead.

pub mod aws;
mod errors;
pub mod fleet;
pub mod judge;
pub mod kubernetes;
pub mod operators;
pub mod process;
pub mod run;
pub mod script;
pub mod shrink;
pub mod weather;
