//! The gateway as a process, over HTTP and beside stand-ins for AWS. One program: each more of them would take a quarter of a minute to compile.
#![allow(missing_docs)]

mod bad_inputs;
mod description;
mod events;
mod idempotency;
mod key_styles;
mod list;
mod page;
mod raw;
mod refusals;
mod replicas;
mod result_cache;
mod slow_clients;
mod support;
mod transport;
mod uploads;
mod wake;
