//! Launches that can be neither lost nor doubled: an intent is written down under a resourceVersion, its token is EC2's
//! ClientToken, and an intent whose outcome is unknown is asked for again with that token. Starts of stopped workers go the
//! same way: the intent names them.

use crds::{LaunchAction, LaunchIntent};
use ec2::Verdict;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::PostParams;
use plan::{INTENT_KEPT, Inventory, Offering, Plan, STALE_AFTER};
use uuid::Uuid;

use super::ask::{self, look_up};
use super::{Acting, News, Outcome};
use crate::context::Operator;
use crate::offerings;
use crate::reconcile::Error;
use crate::revision::Revision;

/// What became of asking EC2.
pub(super) enum Answer {
    /// These instances belong to the intent.
    Done(Vec<String>),
    /// Nothing happened, and asking again would do nothing.
    Void,
    /// Not known yet.
    Open,
}

/// The intents to do what `plan` says with `revision`.
pub fn intents(revision: &Revision, template_version: i64, plan: &Plan, now: Timestamp) -> Vec<LaunchIntent> {
    let intent = |action, offering: &Offering, count: usize, instance_ids| LaunchIntent {
        token: Uuid::new_v4().to_string(),
        action,
        count: i32::try_from(count).unwrap_or(i32::MAX),
        revision: revision.name().to_owned(),
        template_version,
        offering: offerings::to_api(offering),
        requested_at: Time(now),
        asked_at: None,
        answered: false,
        instance_ids,
    };
    let starts = plan.start.iter().map(|start| intent(LaunchAction::Start, &start.offering, start.ids.len(), start.ids.clone()));
    let launches = plan.launch.iter().map(|launch| intent(LaunchAction::Launch, &launch.offering, launch.count as usize, Vec::new()));
    starts.chain(launches).collect()
}

/// Writes `intents` into the fleet's status. The API server refuses them when anybody has written since the plan was made:
/// then the plan is void too.
pub async fn write_down(operator: &Operator, outcome: &mut Outcome, intents: Vec<LaunchIntent>) -> Result<(), Error> {
    if intents.is_empty() {
        return Ok(());
    }
    let all: Vec<LaunchIntent> = outcome.intents.iter().cloned().chain(intents).collect();
    write(operator, outcome, all).await
}

async fn write(operator: &Operator, outcome: &mut Outcome, all: Vec<LaunchIntent>) -> Result<(), Error> {
    let mut fleet = outcome.fleet.clone();
    fleet.status.get_or_insert_default().launches.clone_from(&all);
    let written = operator.api(&fleet).replace_status(&fleet.name_any(), &PostParams::default(), &fleet).await;
    outcome.fleet = written.map_err(Error::Intent)?;
    outcome.intents = all;
    Ok(())
}

/// Writes down that EC2 is asked again, for intents without an answer that were last asked for a while ago: an operator that comes
/// back to an old one may launch only now, and lists show that some time from now, not from when it was requested.
pub(super) async fn renew(acting: &Acting<'_>, outcome: &mut Outcome) -> Result<(), Error> {
    let now = acting.now;
    let is_old = |intent: &LaunchIntent| {
        let asked = intent.asked_at.as_ref().unwrap_or(&intent.requested_at).0;
        !intent.answered && now.duration_since(asked) > STALE_AFTER
    };
    if outcome.fleet.metadata.deletion_timestamp.is_some() || !outcome.intents.iter().any(is_old) {
        return Ok(());
    }
    for intent in outcome.intents.iter_mut().filter(|intent| is_old(intent)) {
        intent.asked_at = Some(Time(now));
    }
    write(acting.operator, outcome, outcome.intents.clone()).await
}

/// Asks EC2 for each intent that has no answer yet.
pub(super) async fn pursue(acting: &Acting<'_>, outcome: &mut Outcome, inventory: Option<&Inventory>) {
    let mut open = Vec::new();
    for mut intent in std::mem::take(&mut outcome.intents) {
        if !intent.answered {
            acting.cloud.inventory.hurry();
            match ask(acting, outcome, &intent, inventory).await {
                Answer::Done(ids) => {
                    // EC2 did it, whether its answer came or its list shows it: what it refused before is over.
                    acting.operator.memory.with(acting.uid, |remembered| remembered.refusal = None);
                    (intent.instance_ids, intent.answered) = (ids, true);
                }
                Answer::Open => {}
                Answer::Void => continue,
            }
        }
        open.push(intent);
    }
    outcome.intents = open;
}

async fn ask(acting: &Acting<'_>, outcome: &mut Outcome, intent: &LaunchIntent, inventory: Option<&Inventory>) -> Answer {
    if let Some(ids) = inventory.and_then(|inventory| seen(intent, inventory)) {
        return Answer::Done(ids);
    }
    // Later, a lost answer is possible: then a refusal does not prove that nothing happened.
    let first = intent.requested_at.0 == acting.now;
    let deleting = outcome.fleet.metadata.deletion_timestamp.is_some();
    if !first && !deleting && ask::paused(acting) {
        return Answer::Open;
    }
    let offering = offerings::to_plan(&intent.offering);
    match intent.action {
        // Nothing is started for a fleet that goes; what was started is in the list of instances, and drained.
        LaunchAction::Start if deleting => Answer::Void,
        LaunchAction::Start => match ask::start(acting, intent).await {
            Ok(()) => {
                outcome.news.push(News::Started(intent.instance_ids.clone()));
                Answer::Done(intent.instance_ids.clone())
            }
            Err(error) => {
                let known = ask::failed(acting, outcome, &offering, &error);
                if known == Verdict::Refused { Answer::Void } else { Answer::Open }
            }
        },
        LaunchAction::Launch if deleting => look_up(acting, intent).await,
        LaunchAction::Launch => match acting.cloud.ec2.run_instances(&ask::launch(acting, &outcome.fleet, intent)).await {
            Ok(ids) => launched(acting, outcome, intent, &offering, ids),
            Err(error) => match ask::failed(acting, outcome, &offering, &error) {
                Verdict::Refused if error.is("IdempotentInstanceTerminated") || first => Answer::Void,
                Verdict::Refused => look_up(acting, intent).await,
                Verdict::Throttled | Verdict::Unknown => Answer::Open,
            },
        },
    }
}

/// Fewer than asked for means that EC2 has no room for more there.
fn launched(acting: &Acting<'_>, outcome: &mut Outcome, intent: &LaunchIntent, offering: &Offering, ids: Vec<String>) -> Answer {
    if ids.len() < wanted(intent) {
        let code = "InsufficientInstanceCapacity";
        offerings::refused(&mut outcome.offerings, offering, code, acting.closed_until());
        let message = format!("EC2 launched {} of {} and has no room for more.", ids.len(), intent.count);
        outcome.news.push(News::OfferingClosed { offering: offering.clone(), code: code.to_owned(), message });
        outcome.go_on = true;
    } else {
        offerings::launched(&mut outcome.offerings, offering);
    }
    outcome.news.push(News::Launched(offering.clone(), ids.clone()));
    Answer::Done(ids)
}

/// What EC2's list shows of the intent, if that is all of it. A list may show some of a launch before the others: only a
/// whole one is an answer, EC2 repeats its own in full.
fn seen(intent: &LaunchIntent, inventory: &Inventory) -> Option<Vec<String>> {
    let ids: Vec<String> = match intent.action {
        LaunchAction::Launch => inventory.launched_with(&intent.token).map(|instance| instance.id.clone()).collect(),
        LaunchAction::Start => {
            let started = |id: &&String| inventory.find(id).is_none_or(|instance| instance.launched_at >= intent.requested_at.0);
            intent.instance_ids.iter().filter(started).cloned().collect()
        }
    };
    (!ids.is_empty() && ids.len() >= wanted(intent)).then_some(ids)
}

pub(super) fn wanted(intent: &LaunchIntent) -> usize {
    usize::try_from(intent.count).unwrap_or(0)
}

/// Whether EC2's lists must show by now what became of the intent.
pub(super) fn is_old(intent: &LaunchIntent, now: Timestamp) -> bool {
    now.duration_since(intent.asked_at.as_ref().unwrap_or(&intent.requested_at).0) > INTENT_KEPT
}
