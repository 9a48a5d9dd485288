//! The operator: what is, and making it so. Data flows one way: observe, plan, act, report.
//!
//! [`reconcile`] is the table of contents.

pub mod act;
pub mod context;
pub mod controller;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod prepare;
pub mod reconcile;
pub mod report;
pub mod revision;
pub mod settings;
