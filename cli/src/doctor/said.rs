//! What the operator says of a fleet in its status, and what to do about it. Pure.

use crds::{ClassifierFleet, condition};

use super::finding::Finding;
use crate::explain::unusual;

const SUBJECT: &str = "operator";

/// Limits that bind because the fleet was made so.
const AS_MEANT: [&str; 3] = ["TooFewReplicas", "ScaleUpLimit", "ScaleDownLimit"];

/// The conditions that are not as they should be; whether the operator has spoken at all.
#[must_use]
pub fn by_the_operator(fleet: &ClassifierFleet) -> Vec<Finding> {
    let Some(status) = &fleet.status else {
        return vec![Finding::wrong(SUBJECT, "No operator has seen this fleet", NO_OPERATOR)];
    };
    if status.observed_generation != fleet.metadata.generation {
        return vec![Finding::wrong(SUBJECT, "No operator has seen the last change of this fleet", NO_OPERATOR)];
    }
    let bad = unusual(&status.conditions);
    let said = bad.iter().filter(|condition| condition.type_ != condition::READY && !AS_MEANT.contains(&condition.reason.as_str()));
    let said: Vec<Finding> = said.map(|condition| finding(&condition.type_, &condition.reason, &condition.message)).collect();
    if said.is_empty() { vec![Finding::right(SUBJECT, "The operator keeps this fleet, and finds nothing wrong")] } else { said }
}

const NO_OPERATOR: &str =
    "Does its Deployment run, is one of its pods the leader, and does it keep this namespace (--namespaces)? Its log says what holds it up";

fn finding(type_: &str, reason: &str, message: &str) -> Finding {
    let sentence = format!("{type_}: {}", message.trim_end_matches('.'));
    Finding::wrong(SUBJECT, sentence, remedy(type_, reason))
}

/// By the reason, where it says enough; else by what it is about.
fn remedy(type_: &str, reason: &str) -> &'static str {
    match (reason, type_) {
        ("NameInUse", _) => "Name a queue or bucket of the fleet's own",
        ("NoCapacity", _) => "List further instance types and subnets; for VcpuLimitExceeded ask AWS for a higher quota",
        ("LaunchFailed" | "LaunchTemplateRefused", _) => {
            "Mend what EC2 names: image, subnet, security group, key, instance profile, or a right of the operator's role; docs/ec2-errors.md has each code"
        }
        ("ImageParameterUnknown", _) => "Put an AMI's id into the SSM parameter, and let the operator's role read it",
        ("WorkersNeverReady", _) => {
            "Read the instance's console (aws ec2 get-console-output): model, instance profile, way to S3 and SQS, and the AMI's architecture are the usual causes"
        }
        ("TooManyInstances", _) => "Find what else launches instances with this fleet's tags",
        ("TooManyReplicas", _) => "Raise workers.max, if it may cost more",
        ("Paused", _) => "Remove the annotation: kubectl annotate cfleet NAME classifierfleet.dev/paused-",
        ("ReplicasSet", _) => "Remove spec.workers.replicas, for the queue to decide",
        ("DeadlineCannotBeMet", _) => "Use a warm pool, a higher workers.min, or a longer drainSeconds",
        (_, condition::GATEWAY_READY) => "Look at its pods: kubectl get pods -l classifierfleet.dev/fleet=NAME",
        (_, condition::QUEUES_READY | condition::SCALING_ACTIVE) => "Give the operator's role what docs/iam/operator.json gives",
        _ => "docs/troubleshooting.md goes through the causes",
    }
}
