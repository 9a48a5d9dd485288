//! How often a fleet is looked at: often while it works or changes, ever more seldom while it is quiet. Pure.

use std::time::Duration;

use jiff::Timestamp;
use plan::{Fleet, Plan};

/// A fleet that was quiet for some time is looked at again after a twentieth of it.
const PART: u32 = 20;

/// Whether `plan` says that something is going on, or will.
pub fn is_busy(fleet: &Fleet, plan: &Plan) -> bool {
    let census = plan.census;
    let moving = census.booting + census.coming + census.draining + census.stopping + census.leaving > 0;
    let works = plan.inputs.queue.is_none_or(|depth| depth.backlog(fleet.counted) > 0 || depth.visible + depth.in_flight > 0);
    let leave = plan.told_to_leave().next().is_some() || !plan.terminate.is_empty();
    let acts = leave || !(plan.launch.is_empty() && plan.start.is_empty());
    fleet.deleting || moving || works || acts || plan.inputs.waiting > 0 || census.capacity() != plan.desired
}

/// Until the next look at a fleet that has been quiet since `quiet_since`; none: it is busy.
pub fn pause(quiet_since: Option<Timestamp>, busy: Duration, idle: Duration, now: Timestamp) -> Duration {
    let Some(since) = quiet_since else { return busy };
    let quiet = Duration::try_from(now.duration_since(since)).unwrap_or_default();
    (quiet / PART).max(busy).min(idle.max(busy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_it_is_quiet_the_more_seldom_it_is_looked_at() {
        let since = Timestamp::UNIX_EPOCH;
        let pause = |seconds: i64| {
            let now = Timestamp::from_second(seconds).unwrap();
            super::pause(Some(since), Duration::from_secs(1), Duration::from_secs(15), now).as_secs()
        };
        assert_eq!([0, 20, 100, 300, 10_000].map(pause), [1, 1, 5, 15, 15]);
        assert_eq!(super::pause(None, Duration::from_secs(1), Duration::from_secs(15), since), Duration::from_secs(1));
    }
}
