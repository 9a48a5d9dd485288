//! Owns what the spot market does to an instance: recommending a rebalance, announcing an interruption, and the end.

use jiff::{SignedDuration, Timestamp};

use super::instance::{Phase, StateReason};
use super::timers::Timer;
use super::{Cloud, Effect};

/// Why the spot market has no hold on an instance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotInterruptible {
    /// There is no such instance.
    #[error("there is no instance {0}")]
    Unknown(String),
    /// It is on-demand.
    #[error("{0} is no spot instance: launch it with InstanceMarketOptions.MarketType=spot")]
    OnDemand(String),
    /// It is on its way out.
    #[error("{0} is {1}: only what is pending or running can be interrupted")]
    Ended(String, &'static str),
}

impl Cloud {
    /// Says that a spot instance will be terminated `notice` from now. A later word replaces an earlier one.
    ///
    /// # Errors
    /// [`NotInterruptible`]
    pub fn interrupt(&mut self, id: &str, notice: SignedDuration, now: Timestamp) -> Result<(), NotInterruptible> {
        let order = self.interruptible(id)?;
        let at = now + notice;
        self.records.edit(order, now, |instance| {
            instance.interrupted_at = Some(at);
            instance.rebalance_since.get_or_insert(now);
        });
        self.timers.insert(at, order, Timer::Interruption);
        Ok(())
    }

    /// Says that a spot instance is at elevated risk of interruption.
    ///
    /// # Errors
    /// [`NotInterruptible`]
    pub fn recommend_rebalance(&mut self, id: &str, now: Timestamp) -> Result<(), NotInterruptible> {
        let order = self.interruptible(id)?;
        self.records.edit(order, now, |instance| instance.rebalance_since.get_or_insert(now).to_owned());
        Ok(())
    }

    fn interruptible(&self, id: &str) -> Result<u64, NotInterruptible> {
        let unknown = || NotInterruptible::Unknown(id.to_owned());
        let order = self.records.order(id).ok_or_else(unknown)?;
        let instance = self.records.get(order).ok_or_else(unknown)?;
        if instance.spec.market.is_none() {
            return Err(NotInterruptible::OnDemand(id.to_owned()));
        }
        match instance.phase {
            Phase::Pending | Phase::Running => Ok(order),
            phase => Err(NotInterruptible::Ended(id.to_owned(), phase.name())),
        }
    }

    /// The notice is over.
    pub(super) fn end_by_interruption(&mut self, order: u64, at: Timestamp) -> Vec<Effect> {
        if self.records.get(order).and_then(|instance| instance.interrupted_at) != Some(at) {
            return Vec::new();
        }
        let reason = StateReason::spot_termination(at);
        self.switch_off(&[order], &[Phase::Pending, Phase::Running], Phase::ShuttingDown, false, &reason, at).1
    }
}
