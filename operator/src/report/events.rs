//! Events: what `kubectl describe` shows, and the log line beside each.

use std::time::Duration;

use crds::ClassifierFleetStatus;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Resource as _, ResourceExt as _};
use plan::{LimitedBy, Plan, UNREADY_DRAIN};

use crate::act::{News, Outcome};
use crate::context::{Operator, reporter};
use crate::observe::instances::MOST_RESTARTS;
use crate::report::conditions::limit;

/// Tells of a change of the number wanted, of a limit that begins to bind and of all news. An event that cannot be published is logged and forgotten.
pub async fn publish(operator: &Operator, outcome: &Outcome, before: &ClassifierFleetStatus, plan: &Plan) {
    let (namespace, name) = (outcome.fleet.namespace().unwrap_or_default(), outcome.fleet.name_any());
    let scaled = (i64::from(plan.desired) != i64::from(before.desired)).then(|| scaled(before.desired, plan));
    let closed = operator.settings.offering_closed;
    for event in scaled.into_iter().chain(limited(before, plan)).chain(outcome.news.iter().map(|news| event(news, closed))) {
        let note = event.note.as_deref().unwrap_or_default();
        match event.type_ {
            EventType::Normal => tracing::info!(fleet = name, namespace, reason = event.reason, "{note}"),
            EventType::Warning => tracing::warn!(fleet = name, namespace, reason = event.reason, "{note}"),
        }
        if let Err(error) = recorder(operator, &event).publish(&event, &outcome.fleet.object_ref(&())).await {
            tracing::warn!(fleet = name, namespace, %error, "the event cannot be published");
        }
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

/// What a fleet may cost, or how soon EC2 can be, is not enough for its jobs. Told once, when it begins. Other limits are what
/// the fleet asks for.
fn limited(before: &ClassifierFleetStatus, plan: &Plan) -> Option<Event> {
    let now = plan.limited_by.filter(|limit| matches!(limit, LimitedBy::Max | LimitedBy::BootTime))?;
    let then = before.decision.as_ref().and_then(|decision| decision.limited_by.as_deref());
    let (reason, message) = limit(now);
    (then != Some(now.to_string().as_str())).then(|| warning(reason, "Decide", format!("{message} {}", plan.steps.join(" "))))
}

/// `closed`: how long a refused offering is left alone.
fn event(news: &News, closed: Duration) -> Event {
    match news {
        News::Launched(offering, ids) => normal("Launched", "Launch", format!("EC2 launched {} as {offering}.", ids.join(", "))),
        News::Started(ids) => normal("Started", "Start", format!("EC2 starts {}.", ids.join(", "))),
        News::OfferingClosed { offering, message, .. } => {
            warning("OfferingClosed", "Launch", format!("{offering} is left alone for {} s: {message}", closed.as_secs_f64()))
        }
        News::Draining(ids) => normal("Draining", "Drain", format!("Told to finish and leave: {}.", ids.join(", "))),
        News::GivenUp(ids) => warning("BootTimeout", "Drain", given_up(ids)),
        News::Terminated(ended) if ended.reason.is_of_the_stopped() => {
            normal("Terminated", "Terminate", format!("{} was terminated: {}.", ended.id, ended.reason))
        }
        News::Terminated(ended) => warning("Terminated", "Terminate", format!("{} was terminated: {}.", ended.id, ended.reason)),
        News::LaunchFailed { message, .. } => warning("LaunchFailed", "Launch", message.clone()),
        News::Restarted(id, times) => warning("WorkerRestarted", "Observe", restarted(id, *times)),
    }
}

fn given_up(ids: &[String]) -> String {
    let leave = UNREADY_DRAIN.as_secs();
    format!(
        "Not registered within spec.workers.bootTimeoutSeconds, and told to leave; terminated if not registered {leave} s later either: {}.",
        ids.join(", ")
    )
}

fn restarted(id: &str, times: u32) -> String {
    let times = if times == 1 { "once".to_owned() } else { format!("{times} times") };
    format!(
        "The worker on {id} ended unasked and was started again, {times} since it booted; its journal says why. After \
         {MOST_RESTARTS} times the instance is replaced unless it becomes ready within spec.workers.bootTimeoutSeconds of its launch."
    )
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
