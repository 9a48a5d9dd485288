//! Owns how instances change state: by request, by their guest and by time. Knows nothing of how a guest is run.

use jiff::Timestamp;

use super::instance::{Instance, Phase, StateReason};
use super::spec::ShutdownBehavior;
use super::timers::Timer;
use super::{Boot, Cloud, Effect};
use crate::refusal::Refusal;

/// One item of an answer to Start, Stop or TerminateInstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// The instance.
    pub instance_id: String,
    /// Before the call.
    pub previous: Phase,
    /// After it.
    pub current: Phase,
}

/// The changes to answer with, and what they need done.
pub(crate) type Changed = Result<(Vec<StateChange>, Vec<Effect>), Refusal>;

impl Cloud {
    /// StartInstances. Those running or pending stay as they are.
    ///
    /// # Errors
    /// `InvalidInstanceID.…`, `IncorrectInstanceState`, `InsufficientInstanceCapacity`; then nothing was started.
    pub fn start_instances(&mut self, ids: &[String], now: Timestamp) -> Changed {
        use Phase::{Pending, Running, Stopped};
        let orders = self.orders_in(ids, &[Stopped, Running, Pending], "started")?;
        let stopped: Vec<u64> = orders.iter().copied().filter(|order| self.phase(*order) == Some(Stopped)).collect();
        let instances: Vec<_> = stopped.iter().filter_map(|order| self.records.get(*order)).collect();
        self.check_room(&instances)?;
        let changes = self.change(&orders, Stopped, Pending, now);
        for order in stopped {
            self.records.edit(order, now, |instance| {
                instance.launched_at = now;
                instance.tags_at_start = instance.tags.clone();
                instance.reason = Some(StateReason::pending());
            });
            self.wake_at(order, now + self.settings.pending_delay, now);
        }
        Ok((changes, Vec::new()))
    }

    /// StopInstances. Those stopped or stopping stay as they are.
    ///
    /// # Errors
    /// `InvalidInstanceID.…`, `IncorrectInstanceState`, `UnsupportedOperation` for a spot instance; then nothing was stopped.
    pub fn stop_instances(&mut self, ids: &[String], force: bool, now: Timestamp) -> Changed {
        use Phase::{Running, Stopped, Stopping};
        let orders = self.orders_in(ids, &[Running, Stopping, Stopped], "stopped")?;
        let spot = ids.iter().zip(&orders).find(|(_, order)| self.records.get(**order).is_some_and(Instance::is_spot));
        if let Some((id, _)) = spot {
            return Err(Refusal::OneTimeSpotInstance(id.clone()));
        }
        Ok(self.switch_off(&orders, &[Running], Stopping, force, &StateReason::user_initiated(now), now))
    }

    /// TerminateInstances. "Terminating an instance more than once succeeds."
    ///
    /// # Errors
    /// `InvalidInstanceID.…`: one bad id fails the call, and nothing was terminated.
    pub fn terminate_instances(&mut self, ids: &[String], now: Timestamp) -> Changed {
        use Phase::{Pending, Running, ShuttingDown, Stopped, Stopping};
        let orders = self.orders_of(ids)?;
        let reason = StateReason::user_initiated(now);
        Ok(self.switch_off(&orders, &[Pending, Running, Stopping, Stopped], ShuttingDown, false, &reason, now))
    }

    /// The guest shut its operating system down: its shutdown behaviour applies.
    pub fn guest_powered_off(&mut self, id: &str, now: Timestamp) -> Vec<Effect> {
        self.records.order(id).map(|order| self.power_off(order, now)).unwrap_or_default()
    }

    pub(super) fn power_off(&mut self, order: u64, now: Timestamp) -> Vec<Effect> {
        let to = match self.records.get(order).map(Instance::shutdown_behavior) {
            Some(ShutdownBehavior::Terminate) => Phase::ShuttingDown,
            _ => Phase::Stopping,
        };
        self.switch_off(&[order], &[Phase::Running], to, false, &StateReason::instance_initiated(), now).1
    }

    /// Nothing of the guest is left, as [`Effect::Shutdown`] asked for.
    pub fn guest_ended(&mut self, id: &str, now: Timestamp) {
        if let Some(order) = self.records.order(id) {
            self.ended(order, now);
        }
    }

    fn ended(&mut self, order: u64, now: Timestamp) {
        match self.phase(order) {
            Some(Phase::Stopping) => self.set_phase(order, Phase::Stopped, now),
            Some(Phase::ShuttingDown) => {
                self.set_phase(order, Phase::Terminated, now);
                self.wake_at(order, now + self.settings.terminated_visible, now);
            }
            _ => {}
        }
    }

    /// When [`Self::tick`] next has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// Lets the time until `now` pass.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((at, order, timer)) = self.timers.pop(now) {
            effects.extend(match timer {
                Timer::Phase => self.advance(order, at),
                Timer::Interruption => self.end_by_interruption(order, at),
                Timer::Guest => self.guest_acts(order, at),
                Timer::GuestGone => {
                    self.ended(order, at);
                    Vec::new()
                }
            });
        }
        self.records.forget(now);
        effects
    }

    fn advance(&mut self, order: u64, at: Timestamp) -> Vec<Effect> {
        // A timer of a phase that has ended since is no longer the instance's own.
        let phase = self.records.get(order).filter(|instance| instance.due == Some(at)).map(|instance| instance.phase);
        match phase {
            Some(Phase::Pending) => {
                self.set_phase(order, Phase::Running, at);
                self.records.edit(order, at, |instance| instance.reason = None);
                let delay = self.boot_delay();
                self.wake_at(order, at + delay, at);
            }
            Some(Phase::Running) => return self.boot(order, at).into_iter().collect(),
            Some(Phase::Terminated) => self.records.remove(order, at),
            Some(Phase::ShuttingDown | Phase::Stopping | Phase::Stopped) | None => {}
        }
        Vec::new()
    }

    /// Switches the machine on; a simulated guest needs no one outside for that.
    fn boot(&mut self, order: u64, at: Timestamp) -> Option<Effect> {
        let first = self.records.edit(order, at, |instance| {
            instance.due = None;
            !std::mem::replace(&mut instance.booted_before, true)
        })?;
        if let Some(simulation) = self.settings.simulation.clone() {
            self.boot_guest(order, &simulation, at);
            return None;
        }
        let instance = self.records.get(order)?;
        Some(Effect::Boot(Boot {
            instance_id: instance.id.clone(),
            image_id: instance.image_id().to_owned(),
            user_data: instance.spec.user_data.clone(),
            first,
        }))
    }

    /// Switches the machine off; a simulated guest is gone at once, which the state shows when the time next passes.
    fn end_guest(&mut self, order: u64, force: bool, now: Timestamp) -> Option<Effect> {
        if self.settings.simulation.is_some() {
            self.guests.remove(&order);
            self.timers.insert(now, order, Timer::GuestGone);
            return None;
        }
        Some(Effect::Shutdown { instance_id: self.records.get(order)?.id.clone(), force })
    }

    /// Takes those in a phase of `from` to `to`; the others are only reported.
    pub(super) fn switch_off(
        &mut self,
        orders: &[u64],
        from: &[Phase],
        to: Phase,
        force: bool,
        reason: &StateReason,
        now: Timestamp,
    ) -> (Vec<StateChange>, Vec<Effect>) {
        let mut changes = Vec::new();
        let mut effects = Vec::new();
        for order in orders {
            let previous = self.phase(*order);
            if previous.is_some_and(|phase| from.contains(&phase)) {
                self.set_phase(*order, to, now);
                self.records.edit(*order, now, |instance| instance.reason = Some(reason.clone()));
                // A guest that is already being switched off ends both times by its one end.
                if previous != Some(Phase::Stopping) {
                    effects.extend(self.end_guest(*order, force, now));
                }
            }
            changes.extend(self.report(*order, previous));
        }
        (changes, effects)
    }

    fn change(&mut self, orders: &[u64], from: Phase, to: Phase, now: Timestamp) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for order in orders {
            let previous = self.phase(*order);
            if previous == Some(from) {
                self.set_phase(*order, to, now);
            }
            changes.extend(self.report(*order, previous));
        }
        changes
    }

    fn report(&self, order: u64, previous: Option<Phase>) -> Option<StateChange> {
        let instance = self.records.get(order)?;
        Some(StateChange { instance_id: instance.id.clone(), previous: previous?, current: instance.phase })
    }

    fn orders_in(&self, ids: &[String], allowed: &[Phase], verb: &'static str) -> Result<Vec<u64>, Refusal> {
        let orders = self.orders_of(ids)?;
        for (id, order) in ids.iter().zip(&orders) {
            if !self.phase(*order).is_some_and(|phase| allowed.contains(&phase)) {
                return Err(Refusal::IncorrectInstanceState(id.clone(), verb));
            }
        }
        Ok(orders)
    }

    fn phase(&self, order: u64) -> Option<Phase> {
        self.records.get(order).map(|instance| instance.phase)
    }

    fn set_phase(&mut self, order: u64, phase: Phase, now: Timestamp) {
        self.records.edit(order, now, |instance| {
            instance.phase = phase;
            instance.due = None;
        });
    }

    /// Lets the instance's phase go on at `at`.
    fn wake_at(&mut self, order: u64, at: Timestamp, now: Timestamp) {
        self.records.edit(order, now, |instance| instance.due = Some(at));
        self.timers.insert(at, order, Timer::Phase);
    }
}
