//! The conditions of a fleet. Pure.

use crds::{ClassifierFleet, OfferingStatus, condition};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use plan::{Alarm, LimitedBy, Plan};

use crate::act::Outcome;
use crate::observe::Observation;
use crate::prepare::{Fault, Needs, gateway};

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
    /// When.
    pub now: Timestamp,
    /// What EC2 said when it last refused a launch, until one succeeds.
    pub blocked: Option<String>,
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
        return Finding::new(
            condition::QUEUES_READY,
            false,
            "Deleting",
            "The fleet is being deleted; spec.deletion says what becomes of its queues and buckets.",
        );
    };
    let fault = needs.names.as_ref().err().or(needs.queues.as_ref().err()).or(needs.buckets.as_ref().err());
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
        false => Finding::new(condition::GATEWAY_READY, false, gateway::NOT_READY, message + &secrets(fleet)),
    }
}

/// Pods do not start without the Secrets that the fleet names. The operator has no right to look whether they are there.
fn secrets(fleet: &ClassifierFleet) -> String {
    let gateway = &fleet.spec.gateway;
    let token = gateway.token_secret.as_ref().map(|secret| format!("{} with the key {}", secret.name, secret.key));
    let tls = gateway.tls_secret.as_ref().map(|secret| secret.name.clone());
    let needed: Vec<String> = token.into_iter().chain(tls).collect();
    if needed.is_empty() { String::new() } else { format!(" Their pods start once these Secrets are there: {}.", needed.join(", ")) }
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
        (Some(Ok(_)), None) if facts.plan.limited_by == Some(LimitedBy::Pause) => Finding::new(
            condition::SCALING_ACTIVE,
            false,
            "Paused",
            "An annotation holds the number of workers. Remove it to follow the queue.",
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
        (None, None) => offerings_open(outcome, facts),
    }
}

/// Closed offerings matter once none is left.
fn offerings_open(outcome: &Outcome, facts: &Facts) -> Finding {
    let closed = |status: &&OfferingStatus| status.unavailable_until.as_ref().is_some_and(|until| until.0 > facts.now);
    let closed: Vec<&OfferingStatus> = outcome.offerings.iter().filter(closed).collect();
    if closed.is_empty() || closed.len() < outcome.offerings.len() {
        let message = match closed.len() {
            0 => "EC2 does what it is asked.".to_owned(),
            some => format!("{some} of {} offerings are closed (status.offerings says why), the others are used.", outcome.offerings.len()),
        };
        return Finding::new(condition::ABLE_TO_SCALE, true, "EC2Answers", message);
    }
    let why = |status: &&OfferingStatus| {
        format!("{}: {}", crate::offerings::to_plan(&status.offering), status.reason.as_deref().unwrap_or("unknown"))
    };
    let why: Vec<String> = closed.iter().map(why).collect();
    let message =
        format!("EC2 refused every offering and is asked again in a few minutes ({}). Name further types or subnets.", why.join("; "));
    Finding::new(condition::ABLE_TO_SCALE, false, "NoCapacity", message)
}

fn scaling_limited(plan: &Plan) -> Finding {
    match plan.limited_by.map(limit) {
        Some((reason, message)) => Finding::new(condition::SCALING_LIMITED, true, reason, message),
        None => {
            Finding::new(condition::SCALING_LIMITED, false, "DesiredWithinRange", "The number of workers wanted lies between min and max.")
        }
    }
}

/// A word and a sentence for a limit that binds, the word as the HorizontalPodAutoscaler has it, where it does.
pub fn limit(limited_by: LimitedBy) -> (&'static str, &'static str) {
    match limited_by {
        LimitedBy::Max => ("TooManyReplicas", "More workers are wanted than spec.workers.max."),
        LimitedBy::Min => ("TooFewReplicas", "Fewer workers are wanted than spec.workers.min."),
        LimitedBy::ScaleUpPolicy => ("ScaleUpLimit", "The number may not rise faster: spec.scaling.behavior.scaleUp."),
        LimitedBy::ScaleDownPolicy => ("ScaleDownLimit", "The number may not fall faster: spec.scaling.behavior.scaleDown."),
        LimitedBy::BootTime => (
            "DeadlineCannotBeMet",
            "Workers cannot be ready soon enough for spec.scaling.target.drainSeconds: a burst is done as soon as it can be, and a steady stream catches up.",
        ),
        LimitedBy::Pause => ("Paused", "An annotation holds the number of workers."),
    }
}

fn degraded(facts: &Facts) -> Finding {
    match facts.plan.alarm {
        None => Finding::new(condition::DEGRADED, false, "AsExpected", "Nothing needs a person."),
        Some(Alarm::Runaway { live, allowed }) => Finding::new(
            condition::DEGRADED,
            true,
            "TooManyInstances",
            format!(
                "{live} instances live, more than the {allowed} of workers.max and update.maxSurge: nothing is launched until they are gone. If workers.max was not lowered just now, something else launches instances with this fleet's tags."
            ),
        ),
        Some(Alarm::RolloutStalled { never_ready }) => Finding::new(
            condition::DEGRADED,
            true,
            "WorkersNeverReady",
            format!(
                "{never_ready} workers of this revision in a row did not register in time, so nothing more is replaced by it; older workers stay. Look at an \
                 instance's console output: image, instance profile, network and model are the usual causes."
            ),
        ),
    }
}

/// What `kubectl get` shows: the first fault, or what the fleet is doing.
fn ready(fleet: &ClassifierFleet, facts: &Facts, findings: &[Finding]) -> Finding {
    let census = facts.plan.census;
    if fleet.metadata.deletion_timestamp.is_some() {
        let left = census.total();
        return Finding::new(condition::READY, false, "Deleting", format!("{left} instances are still to go."));
    }
    let bad = findings.iter().find(|Finding(type_, holds, reason, _)| match *type_ {
        condition::DEGRADED => *holds,
        condition::SCALING_LIMITED => false,
        condition::SCALING_ACTIVE => !holds && reason != "ReplicasSet" && reason != "Paused",
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
