//! The queues, as SQS has them, and jobs that were given up.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName::ApproximateNumberOfMessages as Visible;
use crds::ClassifierFleetSpec;

use super::finding::{Finding, Presence};

const SUBJECT: &str = "queues";

/// Whether all queues are there, and nothing lies among the dead letters.
pub(super) async fn check(sqs: &Client, spec: &ClassifierFleetSpec) -> Vec<Finding> {
    let queues = &spec.queues;
    let replies = (0..spec.gateway.replicas).map(|ordinal| queues.reply_name(ordinal));
    let mut findings = Vec::new();
    for name in [queues.request.name.clone()].into_iter().chain(replies) {
        findings.push(match depth(sqs, &name).await {
            Presence::Here(_) => Finding::right(SUBJECT, format!("{name} is there")),
            other => absent(&name, &other),
        });
    }
    let dead = queues.dead_letter_name();
    findings.push(match depth(sqs, &dead).await {
        Presence::Here(0) => Finding::right(SUBJECT, format!("{dead} is empty")),
        Presence::Here(jobs) => Finding::wrong(
            SUBJECT,
            format!("{dead} holds {jobs} jobs that failed {} times", queues.max_receives),
            "A worker's log says why, by the job's id; once that is mended, send them again: aws sqs start-message-move-task",
        ),
        other => absent(&dead, &other),
    });
    findings
}

fn absent(name: &str, presence: &Presence<u64>) -> Finding {
    match presence {
        Presence::Unsaid(why) => Finding::unsaid(SUBJECT, name, why),
        _ => Finding::wrong(
            SUBJECT,
            format!("{name} is missing"),
            "The operator makes it within minutes, once it runs and may: its role needs sqs:CreateQueue",
        ),
    }
}

/// Messages that wait in a queue.
async fn depth(sqs: &Client, name: &str) -> Presence<u64> {
    let url = match Presence::of(sqs.get_queue_url().queue_name(name).send().await) {
        Presence::Here(found) => found.queue_url.unwrap_or_default(),
        Presence::Missing => return Presence::Missing,
        Presence::Unsaid(why) => return Presence::Unsaid(why),
    };
    match Presence::of(sqs.get_queue_attributes().queue_url(url).attribute_names(Visible).send().await) {
        Presence::Here(found) => {
            let visible = found.attributes.and_then(|attributes| attributes.get(&Visible)?.parse().ok());
            visible.map_or_else(|| Presence::Unsaid("SQS gave no number".to_owned()), Presence::Here)
        }
        Presence::Missing => Presence::Missing,
        Presence::Unsaid(why) => Presence::Unsaid(why),
    }
}
