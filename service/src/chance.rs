//! Randomness as a value, so that whoever runs a program can have the same run again. Not for secrets.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::{Builder, Uuid};

/// A source of random numbers. Clones draw from the same one.
#[derive(Clone)]
pub struct Chance(Arc<Mutex<StdRng>>);

impl Chance {
    /// The numbers of this seed, in an order that is always the same.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// A fresh UUID, version 4.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        Builder::from_random_bytes(self.draw(|rng| rng.random())).into_uuid()
    }

    /// A number from 0 to below 1.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        self.draw(|rng| rng.random())
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut StdRng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Chance {
    /// Numbers that nobody foresees: the system gives the seed.
    fn default() -> Self {
        Self(Arc::new(Mutex::new(rand::make_rng())))
    }
}

impl fmt::Debug for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_again_and_the_system_others_each_time() {
        let three = |chance: &Chance| [chance.uuid(), chance.uuid(), chance.uuid()];
        assert_eq!(three(&Chance::seeded(7)), three(&Chance::seeded(7)));
        assert_ne!(three(&Chance::seeded(7)), three(&Chance::seeded(8)));
        assert_ne!(Chance::default().uuid(), Chance::default().uuid());
        assert_eq!(Chance::seeded(7).uuid().get_version_num(), 4);
    }
}
