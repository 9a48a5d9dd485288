//! Events: what `kubectl describe` shows, and the log line beside each.

use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Resource as _, ResourceExt as _};
use plan::Plan;

use crate::act::{News, Outcome};
use crate::context::{Operator, reporter};

/// Tells of a change of the number wanted and of all news. An event that cannot be published is logged and forgotten.
pub async fn publish(operator: &Operator, outcome: &Outcome, desired_before: i32, plan: &Plan) {
    let (namespace, name) = (outcome.fleet.namespace().unwrap_or_default(), outcome.fleet.name_any());
    let scaled = (i64::from(plan.desired) != i64::from(desired_before)).then(|| scaled(desired_before, plan));
    for event in scaled.into_iter().chain(outcome.news.iter().map(event)) {
        let note = event.note.as_deref().unwrap_or_default();
        match event.type_ {
            EventType::Normal => tracing::info!(fleet = name, namespace, reason = event.reason, "{note}"),
            EventType::Warning => tracing::warn!(fleet = name, namespace, reason = event.reason, "{note}"),
        }
        if let Err(error) = recorder(operator, &event).publish(&event, &outcome.fleet.object_ref(&())).await {
            tracing::warn!(fleet = name, namespace, %error, "the event cannot be published");
        }
    }
    for news in &outcome.news {
        count(operator, &namespace, &name, news);
    }
}

/// A recorder folds events of one reason into a series and shows the first one's note. That is right for what repeats
/// itself; what happens only once gets a recorder of its own.
fn recorder(operator: &Operator, event: &Event) -> Recorder {
    match event.type_ {
        EventType::Warning => operator.events.clone(),
        EventType::Normal => Recorder::new(operator.kube.clone(), reporter()),
    }
}

fn scaled(before: i32, plan: &Plan) -> Event {
    normal("Scaled", "Decide", format!("From {before} to {} workers. {}", plan.desired, plan.steps.join(" ")))
}

fn event(news: &News) -> Event {
    match news {
        News::Launched(ids) => normal("Launched", "Launch", format!("EC2 launched {}.", ids.join(", "))),
        News::Draining(ids) => normal("Draining", "Drain", format!("Told to finish and leave: {}.", ids.join(", "))),
        News::Terminated(ended) => warning("Terminated", "Terminate", format!("{} was terminated: {}.", ended.id, ended.reason)),
        News::LaunchFailed { message, .. } => warning("LaunchFailed", "Launch", message.clone()),
    }
}

/// Longest note that the API server takes, in characters.
const NOTE_AT_MOST: usize = 1024;

fn make(type_: EventType, reason: &str, action: &str, note: String) -> Event {
    let note = if note.len() > NOTE_AT_MOST { format!("{}…", &note[..note.floor_char_boundary(NOTE_AT_MOST - 4)]) } else { note };
    Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None }
}

fn normal(reason: &str, action: &str, note: String) -> Event {
    make(EventType::Normal, reason, action, note)
}

fn warning(reason: &str, action: &str, note: String) -> Event {
    make(EventType::Warning, reason, action, note)
}

fn count(operator: &Operator, namespace: &str, name: &str, news: &News) {
    let metrics = &operator.metrics;
    let number = |ids: &[String]| u64::try_from(ids.len()).unwrap_or(u64::MAX);
    match news {
        News::Launched(ids) => metrics.launched.with_label_values(&[namespace, name]).inc_by(number(ids)),
        News::Draining(ids) => metrics.removed.with_label_values(&[namespace, name, "drain"]).inc_by(number(ids)),
        News::Terminated(ended) => {
            let reason = match ended.reason {
                plan::Reason::BootTimeout => "boot_timeout",
                plan::Reason::DrainDeadline => "drain_deadline",
            };
            metrics.removed.with_label_values(&[namespace, name, reason]).inc();
        }
        News::LaunchFailed { code, .. } => metrics.launch_failures.with_label_values(&[namespace, name, code]).inc(),
    }
}
