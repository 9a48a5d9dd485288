//! The operator: what is, and making it so. Data flows one way: observe, plan, act, report.
//!
//! [`reconcile`] is the table of contents.

pub mod act;
pub mod clouds;
pub mod context;
pub mod controller;
pub mod discovery;
pub mod drift;
pub mod leader;
pub mod memory;
pub mod metrics;
pub mod observe;
pub mod offerings;
pub mod orphans;
pub mod pace;
pub mod prepare;
pub mod prices;
pub mod reconcile;
pub mod report;
pub mod revision;
pub mod run;
pub mod scope;
pub mod settings;
pub mod tasks;
pub mod user_data;
