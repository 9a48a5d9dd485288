//! The conditions of a fleet. Pure.

use crds::{ClassifierFleet, condition};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use plan::{LimitedBy, Plan};

use crate::act::Outcome;
use crate::observe::Observation;
use crate::prepare::{Fault, Needs};

/// What conditions are made from.
pub struct Facts<'a> {
    /// What the fleet needs; none while it is deleted.
    pub needs: Option<&'a Needs>,
    /// The gateway as Kubernetes has it.
    pub gateway: Option<&'a StatefulSet>,
    /// What was observed.
    pub observation: &'a Observation,
    /// What was decided.
    pub plan: &'a Plan,
    /// What EC2 said when it last refused a launch, until one succeeds.
    pub blocked: Option<String>,
    /// Workers that did not register in time, since one last did.
    pub never_ready: u32,
}

/// Whether a condition holds, a word for programs and a sentence for people.
struct Finding(&'static str, bool, String, String);

impl Finding {
    fn new(type_: &'static str, holds: bool, reason: &str, message: impl Into<String>) -> Self {
        Self(type_, holds, reason.to_owned(), message.into())
    }
}

/// All conditions; one whose truth did not change keeps its time.
pub fn conditions(outcome: &Outcome, facts: &Facts, before: &[Condition], now: Timestamp) -> Vec<Condition> {
    let fleet = &outcome.fleet;
    let mut findings = vec![
        queues_ready(facts),
        gateway_ready(fleet, facts),
        scaling_active(fleet, facts),
        able_to_scale(outcome, facts),
        scaling_limited(facts.plan),
        degraded(facts),
    ];
    findings.insert(0, ready(fleet, facts, &findings));
    findings.into_iter().map(|finding| condition(fleet, finding, before, now)).collect()
}

fn condition(fleet: &ClassifierFleet, finding: Finding, before: &[Condition], now: Timestamp) -> Condition {
    let Finding(type_, holds, reason, message) = finding;
    let status = if holds { "True" } else { "False" };
    let same = before.iter().find(|condition| condition.type_ == type_ && condition.status == status);
    let last_transition_time = same.map_or(Time(now), |condition| condition.last_transition_time.clone());
    Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason,
        message,
        last_transition_time,
        observed_generation: fleet.metadata.generation,
    }
}

fn queues_ready(facts: &Facts) -> Finding {
    let Some(needs) = facts.needs else {
        return Finding::new(condition::QUEUES_READY, false, "Deleting", "The fleet is being deleted; its queues and buckets stay.");
    };
    let fault = needs.queues.as_ref().err().or(needs.buckets.as_ref().err());
    match fault {
        Some(Fault { reason, message }) => Finding::new(condition::QUEUES_READY, false, reason, message),
        None => Finding::new(condition::QUEUES_READY, true, "QueuesExist", "Queues and buckets exist."),
    }
}

fn gateway_ready(fleet: &ClassifierFleet, facts: &Facts) -> Finding {
    if let Some(Err(Fault { reason, message })) = facts.needs.map(|needs| &needs.gateway) {
        return Finding::new(condition::GATEWAY_READY, false, reason, message);
    }
    let wanted = fleet.spec.gateway.replicas;
    let ready = facts.gateway.and_then(|set| set.status.as_ref()).and_then(|status| status.ready_replicas).unwrap_or(0);
    let message = format!("{ready} of {wanted} gateway replicas are ready.");
    match ready >= wanted {
        true => Finding::new(condition::GATEWAY_READY, true, "ReplicasReady", message),
        false => Finding::new(condition::GATEWAY_READY, false, "GatewayNotReady", message),
    }
}

fn scaling_active(fleet: &ClassifierFleet, facts: &Facts) -> Finding {
    match (&facts.observation.sample, fleet.spec.workers.replicas) {
        (None, _) => Finding::new(condition::SCALING_ACTIVE, false, "Deleting", "The fleet is being deleted."),
        (Some(Err(message)), _) => Finding::new(condition::SCALING_ACTIVE, false, "QueueNotSampled", message),
        (Some(Ok(_)), Some(replicas)) => Finding::new(
            condition::SCALING_ACTIVE,
            false,
            "ReplicasSet",
            format!("spec.workers.replicas keeps {replicas} workers, whatever waits. Remove it to follow the queue."),
        ),
        (Some(Ok(_)), None) => Finding::new(condition::SCALING_ACTIVE, true, "FollowsQueue", "The number of workers follows the queue."),
    }
}

fn able_to_scale(outcome: &Outcome, facts: &Facts) -> Finding {
    let template = facts.needs.and_then(|needs| needs.template_version.as_ref().err());
    let fault = outcome.fault.as_ref().or(template);
    match (fault, &facts.blocked) {
        (Some(Fault { reason, message }), _) => Finding::new(condition::ABLE_TO_SCALE, false, reason, message),
        (None, Some(message)) => Finding::new(condition::ABLE_TO_SCALE, false, "LaunchFailed", message),
        (None, None) => Finding::new(condition::ABLE_TO_SCALE, true, "EC2Answers", "EC2 does what it is asked."),
    }
}

/// With the words of the HorizontalPodAutoscaler.
fn scaling_limited(plan: &Plan) -> Finding {
    let (holds, reason, message) = match plan.limited_by {
        Some(LimitedBy::Max) => (true, "TooManyReplicas", "More workers are wanted than spec.workers.max."),
        Some(LimitedBy::Min) => (true, "TooFewReplicas", "Fewer workers are wanted than spec.workers.min."),
        None => (false, "DesiredWithinRange", "The number of workers wanted lies between min and max."),
    };
    Finding::new(condition::SCALING_LIMITED, holds, reason, message)
}

fn degraded(facts: &Facts) -> Finding {
    match facts.never_ready {
        0 => Finding::new(condition::DEGRADED, false, "AsExpected", "Nothing needs a person."),
        count => Finding::new(
            condition::DEGRADED,
            true,
            "WorkersNeverReady",
            format!(
                "{count} workers in a row did not register in time. Look at an instance's console output: image, instance profile, network and model are the usual causes."
            ),
        ),
    }
}

/// What `kubectl get` shows: the first fault, or what the fleet is doing.
fn ready(fleet: &ClassifierFleet, facts: &Facts, findings: &[Finding]) -> Finding {
    let census = facts.plan.census;
    if fleet.metadata.deletion_timestamp.is_some() {
        let left = census.live() + census.leaving;
        return Finding::new(condition::READY, false, "Deleting", format!("{left} instances are still to go."));
    }
    let bad = findings.iter().find(|Finding(type_, holds, reason, _)| match *type_ {
        condition::DEGRADED => *holds,
        condition::SCALING_LIMITED => false,
        condition::SCALING_ACTIVE => !holds && reason != "ReplicasSet",
        _ => !holds,
    });
    if let Some(Finding(_, _, reason, message)) = bad {
        return Finding::new(condition::READY, false, reason, message);
    }
    let (reason, message) = match () {
        () if census.draining > 0 || census.capacity() > facts.plan.desired => ("ScalingDown", "Workers are draining."),
        () if census.ready < facts.plan.desired => ("ScalingUp", "Workers are on their way."),
        () if facts.plan.desired == 0 => ("Idle", "Nothing waits and no worker runs."),
        () => ("Steady", "All workers that are wanted are ready."),
    };
    Finding::new(condition::READY, true, reason, message)
}
