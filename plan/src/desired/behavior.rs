//! Damping as the HPA has it: stabilisation windows, then policies (kubernetes/pkg/controller/podautoscaler/horizontal.go,
//! `stabilizeRecommendationWithBehaviors` and `convertDesiredReplicasWithBehaviorRate`).

use super::seconds;
use crate::{Allowance, Fleet, Inputs, LimitedBy, Policy, Rules, Select};

/// A number after damping, and the policy that changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damped {
    /// Workers.
    pub workers: u32,
    /// The limit that binds.
    pub limited_by: Option<LimitedBy>,
}

/// `recommended` through windows and policies. None of them delays the first worker.
#[must_use]
pub fn damped(fleet: &Fleet, inputs: &Inputs, recommended: u32, steps: &mut Vec<String>) -> Damped {
    let before = inputs.before;
    let stable = stabilised(fleet, inputs, recommended, steps);
    let (mut workers, mut limited_by) = rated(fleet, inputs, stable, steps);
    if before == 0 && recommended > 0 && workers == 0 {
        (workers, limited_by) = (1, None);
        steps.push("The first worker is never delayed: 1.".to_owned());
    }
    Damped { workers, limited_by }
}

fn stabilised(fleet: &Fleet, inputs: &Inputs, recommended: u32, steps: &mut Vec<String>) -> u32 {
    let lowest = inputs.lowest.map_or(recommended, |lowest| lowest.min(recommended));
    let highest = inputs.highest.map_or(recommended, |highest| highest.max(recommended));
    // It rises to the lowest and falls to the highest.
    let stable = inputs.before.max(lowest).min(highest);
    if stable != recommended {
        let (direction, extreme, window) = match stable > recommended {
            true => ("scale-down", highest, fleet.scale_down.window),
            false => ("scale-up", lowest, fleet.scale_up.window),
        };
        let word = if stable > recommended { "as many as" } else { "as few as" };
        steps.push(format!("The {direction} window keeps {stable}: {word} {extreme} were asked for in the last {}.", seconds(window)));
    }
    stable
}

fn rated(fleet: &Fleet, inputs: &Inputs, stable: u32, steps: &mut Vec<String>) -> (u32, Option<LimitedBy>) {
    let before = inputs.before;
    let (limit, limited_by, direction) = match stable {
        _ if stable > before => (rise(&fleet.scale_up, inputs), LimitedBy::ScaleUpPolicy, "scaleUp"),
        _ if stable < before => (fall(&fleet.scale_down, inputs), LimitedBy::ScaleDownPolicy, "scaleDown"),
        _ => return (stable, None),
    };
    let allowed = if stable > before { stable.min(limit.max(before)) } else { stable.max(limit.min(before)) };
    if allowed == stable {
        return (stable, None);
    }
    steps.push(format!("scaling.behavior.{direction} lets it change from {before} to {allowed} for now, not to {stable}."));
    (allowed, Some(limited_by))
}

/// The most workers that the rules allow now.
fn rise(rules: &Rules, inputs: &Inputs) -> u32 {
    let most = |policy: &Policy| {
        let base = at_start(policy, inputs);
        match policy.allowance {
            Allowance::Workers(value) => base + i64::from(value),
            // Rounded up, as the HPA does it, so that one worker may become two by any percentage.
            Allowance::Percent(value) => (base.saturating_mul(100 + i64::from(value)).saturating_add(99)) / 100,
        }
    };
    match rules.select {
        Select::Disabled => inputs.before,
        Select::Max => rules.policies.iter().map(most).max().map_or(u32::MAX, clamped),
        Select::Min => rules.policies.iter().map(most).min().map_or(u32::MAX, clamped),
    }
}

/// The fewest workers that the rules allow now.
fn fall(rules: &Rules, inputs: &Inputs) -> u32 {
    let fewest = |policy: &Policy| {
        let base = at_start(policy, inputs);
        match policy.allowance {
            Allowance::Workers(value) => base - i64::from(value),
            // Rounded down, as the HPA does it.
            Allowance::Percent(value) => base * (100 - i64::from(value.min(100))) / 100,
        }
    };
    match rules.select {
        Select::Disabled => inputs.before,
        Select::Max => rules.policies.iter().map(fewest).min().map_or(0, clamped),
        Select::Min => rules.policies.iter().map(fewest).max().map_or(0, clamped),
    }
}

/// Workers at the beginning of the policy's period.
fn at_start(policy: &Policy, inputs: &Inputs) -> i64 {
    let since: i64 = inputs.changes.iter().filter(|change| change.ago < policy.period).map(|change| change.by).sum();
    (i64::from(inputs.before) - since).max(0)
}

fn clamped(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
