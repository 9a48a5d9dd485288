//! Owns how instances change state: by request, by their guest and by time. Knows nothing of how a guest is run.

use jiff::Timestamp;

use super::instance::{Phase, StateReason};
use super::spec::ShutdownBehavior;
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
        self.check_room(&stopped)?;
        let changes = self.change(&orders, Stopped, Pending);
        for order in stopped {
            if let Some(instance) = self.instances.get_mut(&order) {
                instance.launched_at = now;
                instance.tags_at_start = instance.tags.clone();
                instance.reason = Some(StateReason::pending());
            }
            self.wake_at(order, now + self.settings.pending_delay);
        }
        Ok((changes, Vec::new()))
    }

    /// StopInstances. Those stopped or stopping stay as they are.
    ///
    /// # Errors
    /// `InvalidInstanceID.…`, `IncorrectInstanceState`; then nothing was stopped.
    pub fn stop_instances(&mut self, ids: &[String], force: bool, now: Timestamp) -> Changed {
        use Phase::{Running, Stopped, Stopping};
        let orders = self.orders_in(ids, &[Running, Stopping, Stopped], "stopped")?;
        Ok(self.switch_off(&orders, &[Running], Stopping, force, &StateReason::user_initiated(now)))
    }

    /// TerminateInstances. "Terminating an instance more than once succeeds."
    ///
    /// # Errors
    /// `InvalidInstanceID.…`: one bad id fails the call, and nothing was terminated.
    pub fn terminate_instances(&mut self, ids: &[String], now: Timestamp) -> Changed {
        use Phase::{Pending, Running, ShuttingDown, Stopped, Stopping};
        let orders = self.orders_of(ids)?;
        let reason = StateReason::user_initiated(now);
        Ok(self.switch_off(&orders, &[Pending, Running, Stopping, Stopped], ShuttingDown, false, &reason))
    }

    /// The guest shut its operating system down: its shutdown behaviour applies.
    pub fn guest_powered_off(&mut self, id: &str) -> Vec<Effect> {
        let Some(order) = self.order.get(id).copied() else {
            return Vec::new();
        };
        let to = match self.instance(id).map(super::Instance::shutdown_behavior) {
            Some(ShutdownBehavior::Terminate) => Phase::ShuttingDown,
            _ => Phase::Stopping,
        };
        self.switch_off(&[order], &[Phase::Running], to, false, &StateReason::instance_initiated()).1
    }

    /// Nothing of the guest is left, as [`Effect::Shutdown`] asked for.
    pub fn guest_ended(&mut self, id: &str, now: Timestamp) {
        let Some(order) = self.order.get(id).copied() else {
            return;
        };
        match self.phase(order) {
            Some(Phase::Stopping) => self.set_phase(order, Phase::Stopped),
            Some(Phase::ShuttingDown) => {
                self.set_phase(order, Phase::Terminated);
                self.wake_at(order, now + self.settings.terminated_visible);
            }
            _ => {}
        }
    }

    /// When [`Self::tick`] next has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Lets the time until `now` pass.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((at, order)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.pop_first();
            // A timer of a phase that has ended since is no longer the instance's own.
            if self.instances.get(&order).is_some_and(|instance| instance.due == Some(at)) {
                effects.extend(self.advance(order, at));
            }
        }
        effects
    }

    fn advance(&mut self, order: u64, at: Timestamp) -> Option<Effect> {
        match self.phase(order)? {
            Phase::Pending => {
                self.set_phase(order, Phase::Running);
                self.instances.get_mut(&order)?.reason = None;
                self.wake_at(order, at + self.settings.boot_delay);
                None
            }
            Phase::Running => self.boot(order),
            Phase::Terminated => {
                let instance = self.instances.remove(&order)?;
                self.order.remove(&instance.id);
                None
            }
            Phase::ShuttingDown | Phase::Stopping | Phase::Stopped => None,
        }
    }

    fn boot(&mut self, order: u64) -> Option<Effect> {
        let instance = self.instances.get_mut(&order)?;
        instance.due = None;
        let first = !std::mem::replace(&mut instance.booted_before, true);
        Some(Effect::Boot(Boot {
            instance_id: instance.id.clone(),
            image_id: instance.image_id().to_owned(),
            user_data: instance.spec.user_data.clone(),
            first,
        }))
    }

    /// Takes those in a phase of `from` to `to`; the others are only reported.
    fn switch_off(
        &mut self,
        orders: &[u64],
        from: &[Phase],
        to: Phase,
        force: bool,
        reason: &StateReason,
    ) -> (Vec<StateChange>, Vec<Effect>) {
        let mut changes = Vec::new();
        let mut effects = Vec::new();
        for order in orders {
            let previous = self.phase(*order);
            if previous.is_some_and(|phase| from.contains(&phase)) {
                self.set_phase(*order, to);
                if let Some(instance) = self.instances.get_mut(order) {
                    instance.reason = Some(reason.clone());
                    // A guest that is already being switched off ends both times by its one end.
                    if previous != Some(Phase::Stopping) {
                        effects.push(Effect::Shutdown { instance_id: instance.id.clone(), force });
                    }
                }
            }
            changes.extend(self.report(*order, previous));
        }
        (changes, effects)
    }

    fn change(&mut self, orders: &[u64], from: Phase, to: Phase) -> Vec<StateChange> {
        let mut changes = Vec::new();
        for order in orders {
            let previous = self.phase(*order);
            if previous == Some(from) {
                self.set_phase(*order, to);
            }
            changes.extend(self.report(*order, previous));
        }
        changes
    }

    fn report(&self, order: u64, previous: Option<Phase>) -> Option<StateChange> {
        let instance = self.instances.get(&order)?;
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

    fn check_room(&self, orders: &[u64]) -> Result<(), Refusal> {
        let instances = || orders.iter().filter_map(|order| self.instances.get(order));
        for instance in instances() {
            let kind = instance.instance_type();
            let wanted = instances().filter(|other| other.instance_type() == kind).count();
            if usize::try_from(self.room_for(kind)).is_ok_and(|room| room < wanted) {
                return Err(Refusal::InsufficientInstanceCapacity(kind.to_owned(), instance.zone.clone()));
            }
        }
        Ok(())
    }

    fn phase(&self, order: u64) -> Option<Phase> {
        self.instances.get(&order).map(|instance| instance.phase)
    }

    fn set_phase(&mut self, order: u64, phase: Phase) {
        if let Some(instance) = self.instances.get_mut(&order) {
            instance.phase = phase;
            instance.due = None;
        }
    }

    /// Lets the instance's phase go on at `at`.
    pub(super) fn wake_at(&mut self, order: u64, at: Timestamp) {
        if let Some(instance) = self.instances.get_mut(&order) {
            instance.due = Some(at);
            self.timers.insert((at, order));
        }
    }
}
