//! `kubectl fleet`: what ClassifierFleets do and why, in the terminal. Decides nothing itself: the numbers come from `plan`,
//! with the settings as `crds` reads them, as in the operator. Changes nothing in the cluster.

pub mod args;
pub mod cluster;
mod completions;
pub mod doctor;
pub mod explain;
pub mod forecast;
pub mod logs;
pub mod manifest;
mod near;
pub mod paint;
mod run;
pub mod simulate;
pub mod status;
pub mod words;

pub use run::run;
