//! What workers teach: boot times and rates, from their tags, each boot once. Pure.

use std::collections::{HashMap, HashSet};

use crds::{BootSeconds, OfferingStatus};
use jiff::{SignedDuration, Timestamp};
use plan::Learned;

use super::instances::{self, is_warm, offering, registered};
use crate::offerings;

/// How much the latest boot weighs against those before it.
const WEIGHT: f64 = 0.3;

/// A boot that ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boot {
    /// Started again rather than launched.
    pub warm: bool,
    /// From the call to ready.
    pub seconds: f64,
}

/// Lays the boots in `listed` that were not learned yet over `offerings`, and returns them. The first list after a start teaches nothing: its
/// boots were learned before.
pub fn boots(
    known: &mut Option<HashSet<(String, Timestamp)>>,
    offerings: &mut Vec<OfferingStatus>,
    listed: &[ec2::Instance],
    default_subnet: bool,
) -> Vec<Boot> {
    let key = |instance: &ec2::Instance| (instance.id.clone(), instance.launched_at);
    let ready: Vec<_> = listed.iter().filter_map(|instance| Some((instance, registered(instance)?))).collect();
    let Some(learned) = known else {
        *known = Some(ready.iter().map(|(instance, _)| key(instance)).collect());
        return Vec::new();
    };
    learned.retain(|(id, _)| listed.iter().any(|instance| instance.id == *id));
    let mut ended = Vec::new();
    for (instance, registered) in ready {
        if learned.insert(key(instance)) {
            let seconds = registered.at.duration_since(instance.launched_at).as_secs_f64().max(0.0);
            let status = offerings::entry(offerings, &offering(instance, default_subnet));
            let boots = status.boot_seconds.get_or_insert_default();
            ended.push(Boot { warm: is_warm(instance), seconds });
            let average = if is_warm(instance) { &mut boots.warm } else { &mut boots.cold };
            *average = Some(average.map_or(tenths(seconds), |before| tenths(before + WEIGHT * (seconds - before))));
        }
    }
    ended
}

/// Workers in `listed` that had to be started again since the last list, and how often since their machines booted. What the first
/// list after a start shows was told before.
pub fn restarts(known: &mut Option<HashMap<String, u32>>, listed: &[ec2::Instance]) -> Vec<(String, u32)> {
    let now = listed.iter().map(|instance| (instance.id.clone(), instances::restarts(instance)));
    let now: HashMap<String, u32> = now.filter(|(_, count)| *count > 0).collect();
    let Some(before) = known.replace(now.clone()) else { return Vec::new() };
    let mut more: Vec<_> = now.into_iter().filter(|(id, count)| before.get(id).is_none_or(|before| before < count)).collect();
    more.sort();
    more
}

/// The boot times that a decision counts with: of the first of `offerings` (the fleet's, the preferred one first) that has any.
pub fn boot_seconds(offerings: &[OfferingStatus]) -> Option<BootSeconds> {
    let first = |value: fn(&BootSeconds) -> Option<f64>| offerings.iter().filter_map(|status| value(&status.boot_seconds?)).next();
    let boots = BootSeconds { cold: first(|boots| boots.cold), warm: first(|boots| boots.warm) };
    (boots != BootSeconds::default()).then_some(boots)
}

/// The mean of what the ready workers measured, in jobs a second; `before` when there are none.
pub fn jobs_per_second(listed: &[ec2::Instance], before: Option<f64>) -> Option<f64> {
    let running = listed.iter().filter(|instance| instance.state == ec2::InstanceState::Running);
    let rates: Vec<f64> = running.filter_map(|instance| registered(instance)?.images_per_second).filter(|rate| *rate > 0.0).collect();
    #[allow(clippy::cast_precision_loss)] // far below 2⁵³ workers
    let mean = (!rates.is_empty()).then(|| tenths(rates.iter().sum::<f64>() / rates.len() as f64));
    mean.or(before)
}

/// In the words of `plan`.
pub fn learned(boots: Option<BootSeconds>, jobs_per_second: Option<f64>) -> Learned {
    let duration = |seconds: f64| SignedDuration::try_from_secs_f64(seconds).ok();
    let boots = boots.unwrap_or_default();
    Learned { boot_cold: boots.cold.and_then(duration), boot_warm: boots.warm.and_then(duration), jobs_per_second }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
