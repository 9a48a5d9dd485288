//! How outdated workers are replaced: a few at a time, and none that works before the new revision has proven itself.

use jiff::{SignedDuration, Timestamp};

use crate::census::{coming, count};
use crate::{Fleet, Instance, Inventory, Observed};

/// So many workers of a revision in a row that never became ready stop its roll-out.
pub(crate) const STALLED_AFTER: u32 = 2;
/// Until a stalled revision is tried again; doubles with each further failure.
const RETRY: SignedDuration = SignedDuration::from_mins(5);
/// At most 5 min × 2⁴, an hour and a third.
const DOUBLINGS: u32 = 4;

/// What a roll-out allows now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rolling {
    /// Workers of another revision that take jobs, or will.
    pub(crate) outdated: u32,
    /// Workers of the current revision that take jobs, or will, those on their way included.
    pub(crate) current: u32,
    /// Those of them that are not ready yet.
    pub(crate) unready: u32,
    /// A worker of the current revision was ready.
    pub(crate) proven: bool,
    /// Workers of the current revision in a row that never became ready, those that are given up now included.
    pub(crate) never_ready: u32,
    /// The new revision does not work.
    pub(crate) stalled: bool,
    /// One worker of a stalled revision may be tried.
    pub(crate) may_try: bool,
    /// Workers beyond those wanted.
    pub(crate) surge: u32,
    /// Workers that may be missing.
    pub(crate) unavailable: u32,
}

impl Rolling {
    /// `active`: the workers that take jobs or will, as far as EC2 lists them, without `given_up`: those that are given up now.
    pub(crate) fn of(
        fleet: &Fleet,
        observed: &Observed,
        inventory: &Inventory,
        active: &[&Instance],
        given_up: &[&Instance],
        now: Timestamp,
    ) -> Self {
        let (current, outdated): (Vec<&Instance>, Vec<&Instance>) = active.iter().partition(|instance| instance.revision == fleet.revision);
        let intents = observed.intents.iter().filter(|intent| intent.revision == fleet.revision);
        let coming: u32 = intents.map(|intent| coming(intent, Some(inventory), now)).sum();
        let ready = count(current.iter().filter(|instance| instance.ready).count());
        let (current, outdated) = (count(current.len()) + coming, count(outdated.len()));
        let unready = current - ready;
        let proven = observed.rollout.proven || ready > 0;
        let failing = count(given_up.iter().filter(|instance| instance.revision == fleet.revision).count());
        let stalled = is_stalled(observed, failing, proven);
        let may_try = stalled && unready == 0 && failing == 0 && has_rested(observed, now);
        let tries = u32::from(may_try || unready > 0).min(fleet.update.max_surge);
        // The first worker of a revision shows whether it works: until then there is one of it more, and none fewer.
        let (surge, unavailable) = match (stalled, proven) {
            _ if outdated == 0 || fleet.deleting => (0, 0),
            (true, _) => (tries, 0),
            (false, true) => (fleet.update.max_surge, fleet.update.max_unavailable),
            (false, false) if fleet.update.max_surge > 0 => (1, 0),
            (false, false) => (0, 1),
        };
        let never_ready = observed.rollout.never_ready.saturating_add(failing);
        Self { outdated, current, unready, proven, never_ready, stalled, may_try, surge, unavailable }
    }
}

/// The current revision does not work, as far as was seen. `failing`: workers of it that are given up now.
pub(crate) fn is_stalled(observed: &Observed, failing: u32, proven: bool) -> bool {
    !proven && observed.rollout.never_ready.saturating_add(failing) >= STALLED_AFTER
}

/// It is long enough ago that a worker of the current revision failed.
pub(crate) fn has_rested(observed: &Observed, now: Timestamp) -> bool {
    let failures = observed.rollout.never_ready.saturating_sub(STALLED_AFTER).min(DOUBLINGS);
    observed.rollout.failed_at.is_none_or(|failed| now.duration_since(failed) >= RETRY * (1 << failures))
}
