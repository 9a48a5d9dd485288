//! The operator's stages, each by itself. One program: each more of them would take half a minute to compile.
#![allow(missing_docs)]

mod memory;
mod objects;
mod prepare;
mod prepare_buckets;
mod prepare_queues;
mod prepare_world;
mod revision;
mod sample;
mod user_data;
