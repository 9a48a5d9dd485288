//! Whoever decides how many workers there are: the one thing in which runs differ. Knows no policy by name.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::world::{Settings, World};

/// Whoever decides how many workers there are.
pub trait Policy: fmt::Debug + Send + Sync {
    /// What it is called in tables.
    fn name(&self) -> String;

    /// What of the world goes with it: how long idle workers stay, say.
    fn adapt(&self, _settings: &mut Settings) {}

    /// Scales the workers of `world` by its EC2 until the run ends; the future is dropped then.
    fn scale(&self, world: Arc<World>) -> BoxFuture<'static, ()>;
}
