//! Where the workers of a fleet log, as commands to copy. Pure.

use std::collections::BTreeSet;

use crds::ClassifierFleet;
use jiff::SignedDuration;
use kube::ResourceExt as _;

/// Of the instances launched last, as many are named.
const NAMED: usize = 10;

/// Commands that find the instances of `fleet`, and show what their workers logged: of `job`, of the last `since`.
#[must_use]
pub fn where_workers_log(fleet: &ClassifierFleet, job: Option<&str>, since: SignedDuration) -> String {
    let place = place(fleet);
    let uid = fleet.uid().unwrap_or_default();
    let grep = job.map(|job| format!(" --grep {job}")).unwrap_or_default();
    let journal = format!("sudo journalctl -u classifierfleet-worker --since=-{}s{grep}", since.as_secs().max(1));
    let of_job = job.map(|job| {
        format!("  the instance that had the job: `worker` in the answer of the gateway\n    curl $GATEWAY_URL/v1/images/{job}\n")
    });
    format!(
        "\
Workers log to the journals of their instances, which Kubernetes does not reach. With the AWS CLI:
  the instances, those that ended within the hour too{}
    aws ec2 describe-instances{place} --filters Name=tag:classifierfleet:uid,Values={uid} --query 'Reservations[].Instances[].[InstanceId,State.Name,LaunchTime]' --output table
{}  the journal of one, by Session Manager: the AMI needs the SSM agent, and the worker's role AmazonSSMManagedInstanceCore
    aws ssm start-session{place} --document-name AWS-StartInteractiveCommand --parameters 'command=[\"{journal}\"]' --target INSTANCE
  its console, without a login: kernel, systemd and cloud-init
    aws ec2 get-console-output{place} --latest --output text --instance-id INSTANCE
",
        launched_last(fleet),
        of_job.unwrap_or_default(),
    )
}

/// Where AWS is, when it is not where the AWS CLI is set to.
fn place(fleet: &ClassifierFleet) -> String {
    let option = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!(" {name} {}", quoted(value))).unwrap_or_default();
    option("--region", &fleet.spec.region) + &option("--endpoint-url", &fleet.spec.endpoint_url)
}

/// As a shell reads it as one word.
fn quoted(word: &str) -> String {
    let is_plain = word.chars().all(|letter| letter.is_ascii_alphanumeric() || ":/._-".contains(letter));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The status names only those that EC2 may not list yet.
fn launched_last(fleet: &ClassifierFleet) -> String {
    let launches = fleet.status.iter().flat_map(|status| &status.launches);
    let ids: BTreeSet<&str> = launches.flat_map(|launch| launch.instance_ids.iter().map(String::as_str)).collect();
    let more = ids.len().saturating_sub(NAMED);
    let named: Vec<&str> = ids.into_iter().take(NAMED).collect();
    match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("; launched last: {}", named.join(", ")),
        (false, more) => format!("; launched last: {} and {more} more", named.join(", ")),
    }
}
