//! The status of a fleet. Pure.

use crds::{ClassifierFleetStatus, Decision, QueueStatus, RolloutStatus, WorkersStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use plan::{Census, Counted, Rollout};

use super::conditions::{self, Facts};
use crate::act::Outcome;
use crate::observe::Observation;
use crate::revision::Revision;
use crate::scope::FLEET_LABEL;

/// The status that tells of `outcome` and what led to it.
pub fn status(outcome: &Outcome, revision: &Revision, facts: &Facts, now: Timestamp) -> ClassifierFleetStatus {
    let fleet = &outcome.fleet;
    let before = fleet.status.clone().unwrap_or_default();
    let desired = number(facts.plan.desired);
    ClassifierFleetStatus {
        observed_generation: fleet.metadata.generation,
        revision: Some(revision.name().to_owned()),
        workers: workers(facts.plan.census),
        queue: queue(facts.observation, fleet.counted()).or(before.queue),
        desired,
        selector: Some(format!("{FLEET_LABEL}={},app.kubernetes.io/name=worker", fleet.name_any())),
        decision: Some(Decision::of(facts.plan, Time(now))),
        launches: outcome.intents.clone(),
        offerings: outcome.offerings.clone(),
        boot_seconds: facts.observation.boot_seconds,
        jobs_per_second_per_worker: facts.observation.jobs_per_second,
        cost_per_thousand_images: facts.observation.cost.usd_per_thousand_images,
        rollout: Some(rollout(facts, revision.name(), before.rollout.as_ref(), now)),
        last_scale_time: if desired == before.desired { before.last_scale_time } else { Some(Time(now)) },
        conditions: conditions::conditions(outcome, facts, &before.conditions, now),
    }
}

/// How `revision` fares after the plan: workers of it that never became ready count until one does.
fn rollout(facts: &Facts, revision: &str, before: Option<&RolloutStatus>, now: Timestamp) -> RolloutStatus {
    let (observed, plan) = (&facts.observation.observed, facts.plan);
    let template_version = facts.needs.and_then(|needs| needs.template_version.clone().ok());
    let Rollout { proven, never_ready, failed_at } = observed.rollout;
    let of_revision = |id: &str| {
        let instance = observed.inventory.as_ref().and_then(|inventory| inventory.find(id));
        instance.is_some_and(|instance| instance.revision == revision)
    };
    let failed = plan.give_up.iter().filter(|id| of_revision(id)).count();
    let failed = u32::try_from(failed).unwrap_or(u32::MAX);
    RolloutStatus {
        revision: revision.to_owned(),
        proven,
        never_ready: number(never_ready.saturating_add(failed)),
        failed_at: if failed > 0 { Some(Time(now)) } else { failed_at.map(Time) },
        template_version: template_version.or_else(|| before?.version_for(revision)),
    }
}

/// `status` without what changes while nothing happens, so that two can be compared for what they say: times, and the inputs
/// of a decision that only grow older.
pub fn without_times(status: &ClassifierFleetStatus) -> ClassifierFleetStatus {
    let mut status = status.clone();
    let never = Time(Timestamp::UNIX_EPOCH);
    if let Some(queue) = &mut status.queue {
        queue.sampled_at = never.clone();
    }
    if let Some(decision) = &mut status.decision {
        decision.at = never.clone();
        decision.inputs = crds::DecisionInputs { queue: decision.inputs.queue, ..crds::DecisionInputs::default() };
        // With a deadline the sentence tells how much of it is left, which changes all the time; the number says what matters.
        decision.steps.retain(|step| !step.contains("left of drainSeconds"));
    }
    status
}

fn workers(census: Census) -> WorkersStatus {
    WorkersStatus {
        total: number(census.live() + census.stopping + census.leaving),
        ready: number(census.ready),
        starting: number(census.booting + census.coming),
        draining: number(census.draining),
        outdated: number(census.outdated),
        stopped: number(census.stopped + census.stopping),
    }
}

fn queue(observation: &Observation, counted: Counted) -> Option<QueueStatus> {
    let (depth, at) = observation.sample.as_ref()?.as_ref().ok()?;
    let count = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Some(QueueStatus {
        backlog: count(depth.backlog(counted)),
        visible: count(depth.visible),
        in_flight: count(depth.in_flight),
        delayed: count(depth.delayed),
        sampled_at: Time(*at),
    })
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
