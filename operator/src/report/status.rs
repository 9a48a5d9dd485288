//! The status of a fleet. Pure.

use crds::{ClassifierFleetStatus, Decision, QueueStatus, WorkersStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::{Census, Counted, Plan};

use super::conditions::{self, Facts};
use crate::act::Outcome;
use crate::observe::Observation;
use crate::revision::Revision;

/// The status that tells of `outcome` and what led to it.
pub fn status(outcome: &Outcome, revision: &Revision, facts: &Facts, now: Timestamp) -> ClassifierFleetStatus {
    let fleet = &outcome.fleet;
    let before = fleet.status.clone().unwrap_or_default();
    let desired = number(facts.plan.desired);
    let scaling = &fleet.spec.scaling;
    let counted = Counted { in_flight: scaling.count_in_flight, delayed: scaling.count_delayed };
    ClassifierFleetStatus {
        observed_generation: fleet.metadata.generation,
        revision: Some(revision.name().to_owned()),
        workers: workers(facts.plan.census),
        queue: queue(facts.observation, counted).or(before.queue),
        desired,
        decision: Some(decision(facts.plan, now)),
        launches: outcome.intents.clone(),
        last_scale_time: if desired == before.desired { before.last_scale_time } else { Some(Time(now)) },
        conditions: conditions::conditions(outcome, facts, &before.conditions, now),
    }
}

/// `status` with all times alike, so that two can be compared for what they say.
pub fn without_times(status: &ClassifierFleetStatus) -> ClassifierFleetStatus {
    let mut status = status.clone();
    let never = Time(Timestamp::UNIX_EPOCH);
    if let Some(queue) = &mut status.queue {
        queue.sampled_at = never.clone();
    }
    if let Some(decision) = &mut status.decision {
        decision.at = never.clone();
    }
    status
}

fn workers(census: Census) -> WorkersStatus {
    WorkersStatus {
        total: number(census.live() + census.leaving),
        ready: number(census.ready),
        starting: number(census.booting + census.coming),
        draining: number(census.draining),
        outdated: number(census.outdated),
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

fn decision(plan: &Plan, now: Timestamp) -> Decision {
    Decision { at: Time(now), steps: plan.steps.clone(), limited_by: plan.limited_by.map(|limit| limit.to_string()) }
}

fn number(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
