//! What goes wrong at the moment, for all that is asked over the network. Knows nothing of what is asked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;

use crate::script::{Service, When};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is done and its answer is lost.
    LostAnswer,
    /// It is not done and answered by an error.
    Error,
    /// It is done or not, and never answered.
    Silence(When),
    /// It is refused for there are too many.
    Throttle,
}

/// A trouble that calls of a service are in for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// See [`Trouble::LostAnswer`].
    LostAnswers,
    /// See [`Trouble::Error`].
    Errors,
    /// See [`Trouble::Silence`].
    Silence,
    /// See [`Trouble::Throttle`].
    Throttle,
}

/// How watches are disturbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Watches {
    /// They trail by so much.
    pub behind: Duration,
    /// They show nothing until then, and have forgotten it afterwards.
    pub blind_until: Option<Instant>,
}

/// What goes wrong at the moment.
#[derive(Debug)]
pub struct Weather(Mutex<State>);

#[derive(Debug)]
struct State {
    rng: StdRng,
    fronts: Vec<(Service, Front, Instant)>,
    behind: (Duration, Option<Instant>),
    blind_until: Option<Instant>,
    conflicts: u32,
    jump: (i32, Option<Instant>),
}

impl Weather {
    /// Fair weather, with latencies of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let rng = StdRng::seed_from_u64(seed ^ 0x077e_a7e4);
        Self(Mutex::new(State {
            rng,
            fronts: Vec::new(),
            behind: (Duration::ZERO, None),
            blind_until: None,
            conflicts: 0,
            jump: (0, None),
        }))
    }

    /// Calls of `service` are in trouble for `seconds`.
    pub fn front(&self, service: Service, front: Front, seconds: u32) {
        self.lock().fronts.push((service, front, after(seconds)));
    }

    /// Watches trail by `behind` seconds for `seconds`.
    pub fn stale(&self, behind: u32, seconds: u32) {
        self.lock().behind = (Duration::from_secs(u64::from(behind)), Some(after(seconds)));
    }

    /// Watches show nothing for `seconds`.
    pub fn blind(&self, seconds: u32) {
        self.lock().blind_until = Some(after(seconds));
    }

    /// Somebody writes just before each of the next `writes`.
    pub fn conflicts(&self, writes: u32) {
        self.lock().conflicts += writes;
    }

    /// The operators' wall clocks are off by `by` seconds, for `seconds`.
    pub fn jump(&self, by: i32, seconds: u32) {
        self.lock().jump = (by, Some(after(seconds)));
    }

    /// By how many seconds the operators' wall clocks are off.
    #[must_use]
    pub fn offset(&self) -> i32 {
        let state = self.lock();
        if state.jump.1.is_some_and(|until| Instant::now() < until) { state.jump.0 } else { 0 }
    }

    /// Whether somebody else writes now.
    #[must_use]
    pub fn take_conflict(&self) -> bool {
        let mut state = self.lock();
        let one = state.conflicts > 0;
        state.conflicts = state.conflicts.saturating_sub(1);
        one
    }

    /// How watches are disturbed.
    #[must_use]
    pub fn watches(&self) -> Watches {
        let (state, now) = (self.lock(), Instant::now());
        let behind = if state.behind.1.is_some_and(|until| now < until) { state.behind.0 } else { Duration::ZERO };
        Watches { behind, blind_until: state.blind_until.filter(|until| now < *until) }
    }

    /// What becomes of a call to `service` now.
    #[must_use]
    pub fn trouble(&self, service: Service) -> Option<Trouble> {
        let mut state = self.lock();
        let now = Instant::now();
        let (_, front, _) = *state.fronts.iter().find(|(whose, _, until)| *whose == service && now < *until)?;
        Some(match front {
            Front::LostAnswers => Trouble::LostAnswer,
            Front::Errors => Trouble::Error,
            Front::Throttle => Trouble::Throttle,
            Front::Silence => Trouble::Silence(if state.rng.random() { When::Before } else { When::After }),
        })
    }

    /// How long a call, or an answer, travels: 1 to 40 ms.
    #[must_use]
    pub fn latency(&self) -> Duration {
        Duration::from_millis(self.lock().rng.random_range(1..=40))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn after(seconds: u32) -> Instant {
    Instant::now() + Duration::from_secs(u64::from(seconds))
}
