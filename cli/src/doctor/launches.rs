//! Whether EC2 would launch workers of each type in each subnet: asked by dry runs, for a fleet at rest learns it too late.

use crds::ClassifierFleet;
use ec2::{Ec2, Error, Offering};
use operator::revision::template_name;

use super::finding::{Finding, Verdict};

const SUBJECT: &str = "workers";

/// Whether EC2 would take a launch of each offering, but for whether it has room.
pub(super) async fn check(ec2: &Ec2, fleet: &ClassifierFleet) -> Vec<Finding> {
    let template = template_name(fleet);
    let mut findings = Vec::new();
    for offering in fleet.spec.workers.template.offerings() {
        let plan::Offering { instance_type, subnet_id, spot } = offering;
        let offering = Offering { instance_type, subnet_id, spot };
        let found = match ec2.would_launch(&template, &offering).await {
            Ok(()) => Finding::right(SUBJECT, format!("EC2 would launch {}", words(&offering))),
            Err(error) => refused(&offering, &error),
        };
        // No offering does better than one of which EC2 said nothing.
        let is_silent = found.verdict == Verdict::Unknown;
        findings.push(found);
        if is_silent {
            break;
        }
    }
    findings
}

fn refused(offering: &Offering, error: &Error) -> Finding {
    if let Some(remedy) = silence(error) {
        return Finding::unknown(SUBJECT, format!("Whether EC2 would launch workers is not known: {error}"), remedy);
    }
    let sentence = format!("EC2 would not launch {}: {error}", words(offering));
    Finding::wrong(SUBJECT, sentence, "Mend what EC2 names in spec.workers.template; docs/ec2-errors.md has each code")
}

/// What to do about an error that says nothing of the offering.
fn silence(error: &Error) -> Option<&'static str> {
    match (error.code.as_deref(), error.verdict()) {
        (Some("UnauthorizedOperation"), _) => {
            Some("Ask with the rights of docs/iam/operator.json, which the operator's role must have too")
        }
        (Some("InvalidLaunchTemplateName.NotFoundException"), _) => {
            Some("The operator makes the fleet's launch template once it knows image and queues: mend what it says first")
        }
        (None, _) => Some("Check your own AWS credentials and region (AWS_REGION), and whether EC2 can be reached from here"),
        (_, ec2::Verdict::Refused) => None,
        (_, ec2::Verdict::Throttled | ec2::Verdict::Unknown) => Some("EC2 is busy: ask again in a minute"),
    }
}

fn words(Offering { instance_type, subnet_id, spot }: &Offering) -> String {
    let market = if *spot { " on the spot market" } else { "" };
    let place = subnet_id.as_ref().map_or_else(|| "the default subnet".to_owned(), Clone::clone);
    format!("{instance_type} in {place}{market}")
}
