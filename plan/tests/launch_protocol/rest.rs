//! How a fleet comes to rest once faults stop: every worker registers or leaves in time, both operators do all that they begin,
//! time passes. And which workers are late.

use jiff::SignedDuration;
use plan::{Instance, State as Life};

use super::common::operator::Answer;
use super::common::secs;
use super::model::{BOOT, DRAIN, List, Protocol, describe, show_all};
use super::state::{Budget, QUANTUM, State};

/// So many rounds without faults bring any state to rest: more than an offering stays closed.
const ROUNDS: usize = 40;

impl Protocol {
    /// Without faults from here on, the fleet comes to what it should be, and stays so.
    pub fn comes_to_rest(&mut self, state: &State) -> Result<(), String> {
        let mut state = State { budget: Budget { faults: 0, changes: 0, deaths: 0 }, ..state.clone() };
        let mut passed = Vec::new();
        for _ in 0..ROUNDS {
            let before = state.key();
            if self.calm.contains(&before) {
                self.calm.extend(passed);
                return Ok(());
            }
            passed.push(before);
            self.round(&mut state);
            if state.key() == before {
                return match self.at_rest(&state) {
                    Ok(()) => {
                        self.calm.extend(passed);
                        Ok(())
                    }
                    Err(what) => Err(format!("it comes to rest, but {what}")),
                };
            }
        }
        Err(format!("after {ROUNDS} rounds without faults it has not come to rest: {}", describe(&state)))
    }

    fn round(&self, state: &mut State) {
        show_all(state);
        for who in [0, 1] {
            while state.under_way[who].is_some() {
                self.go_on(state, who, Answer::Fine);
            }
        }
        let live: Vec<Instance> = state.world.cloud.all().filter(|it| it.is_live() && !is_late(state, it)).cloned().collect();
        for instance in live {
            match instance.draining_since {
                Some(_) => state.world.cloud.leave(&instance.id),
                None => state.world.cloud.register(&instance.id),
            }
        }
        show_all(state);
        for who in [0, 1] {
            if state.world.status.gone {
                break;
            }
            self.begin(state, who, List::Now);
            while state.under_way[who].is_some() {
                self.go_on(state, who, Answer::Fine);
            }
        }
        self.tick(state);
        self.tidy(state);
    }

    fn at_rest(&self, state: &State) -> Result<(), String> {
        let wanted = if state.deleting { 0 } else { u32::try_from(state.world.queue.visible).unwrap_or(u32::MAX) };
        let cloud = &state.world.cloud;
        let (ready, live) = (cloud.count(|it| it.is_active() && it.ready), cloud.count(Instance::is_live));
        let stopped = cloud.count(|it| it.state == Life::Stopped);
        let open = !state.deleting && !state.world.status.intents.is_empty();
        let kept = if state.deleting { 0 } else { self.scope.pool };
        if (ready, live) == (wanted, wanted) && stopped <= kept && !open && state.world.status.gone == state.deleting {
            return Ok(());
        }
        Err(format!("{wanted} are wanted: {}", describe(state)))
    }
}

/// A worker that had its time to register or to leave.
pub fn is_late(state: &State, instance: &Instance) -> bool {
    waited(state, instance).is_some_and(|(waited, limit)| waited > limit)
}

/// Workers that are late after the next tick and are not yet.
pub fn late_next(state: &State) -> usize {
    let is_next = |instance: &&Instance| {
        let quantum = secs(QUANTUM);
        waited(state, instance).is_some_and(|(waited, limit)| waited <= limit && waited + quantum > limit)
    };
    state.world.cloud.all().filter(is_next).count()
}

/// How long a live worker has been waited for, and how long that may be.
fn waited(state: &State, instance: &Instance) -> Option<(SignedDuration, SignedDuration)> {
    let now = state.world.cloud.time();
    match instance.draining_since {
        _ if !instance.is_live() => None,
        Some(since) => Some((now.duration_since(since), secs(DRAIN))),
        None if instance.ready => None,
        None => Some((now.duration_since(instance.launched_at), secs(BOOT))),
    }
}
