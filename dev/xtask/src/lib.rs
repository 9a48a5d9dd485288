//! What developers run: the whole system on one machine, the demo, the tests.
//! Owns processes, folders and ports of the local stack; must not know how operator, gateway and worker do their work.

mod archive;
pub mod commands;
pub mod helm;
pub mod node;
mod oci;
pub mod paths;
pub mod photos;
pub mod pods;
pub mod process;
pub mod progress;
pub mod relay;
pub mod release;
pub mod stack;
pub mod tools;
mod wait;
