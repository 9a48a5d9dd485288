//! Launches that can be neither lost nor doubled: an intent is written down under a resourceVersion, its token is EC2's
//! ClientToken, and an intent whose outcome is unknown is asked for again with that token. Starts of stopped workers go the
//! same way: the intent names them.

use crds::{LaunchAction, LaunchIntent};
use ec2::{Verdict, tags};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::PostParams;
use plan::{Intent, Inventory, Next, Offering, Plan, Pursuit, Question, Reply};
use service::chance::Chance;

use super::{Acting, News, Outcome, ask};
use crate::context::Operator;
use crate::observe::intent;
use crate::offerings;
use crate::reconcile::Error;
use crate::revision::Revision;

/// Pauses between questions what became of launches: as between lists of all instances while something changes.
const LISTED_EVERY: SignedDuration = SignedDuration::from_secs(2);

/// An intent, and what is to be done about it first.
struct Pursued {
    written: LaunchIntent,
    intent: Intent,
    /// When EC2 was asked for it before this reconcile.
    asked_before: Option<Timestamp>,
    next: Next,
}

/// The intents to do what `plan` says with `revision`.
pub fn intents(revision: &Revision, template_version: i64, plan: &Plan, chance: &Chance, now: Timestamp) -> Vec<LaunchIntent> {
    let intent = |action, offering: &Offering, count: usize, instance_ids| LaunchIntent {
        token: chance.uuid().to_string(),
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

/// Asks EC2 for each intent that has no answer yet, and for `new` ones once they are written down. The API server refuses to
/// write when anybody else has since the plan was made: then the plan is void too.
pub(super) async fn pursue(
    acting: &Acting<'_>,
    outcome: &mut Outcome,
    new: Vec<LaunchIntent>,
    inventory: Option<&Inventory>,
) -> Result<(), Error> {
    let is_any_new = !new.is_empty();
    let earlier: Vec<LaunchIntent> = std::mem::take(&mut outcome.intents);
    let earlier = earlier.into_iter().map(|written| begin(acting, outcome, written, true, inventory));
    let mut all: Vec<Pursued> = earlier.collect();
    all.extend(new.into_iter().map(|written| begin(acting, outcome, written, false, inventory)));
    let again = |pursued: &Pursued| !pursued.intent.answered && pursuit(acting, outcome, pursued).must_be_written(&pursued.next);
    let again: Vec<bool> = all.iter().map(again).collect();
    for (pursued, _) in all.iter_mut().zip(&again).filter(|(_, again)| **again) {
        pursued.written.asked_at = Some(Time(acting.now));
    }
    if is_any_new || again.contains(&true) {
        write(acting.operator, outcome, all.iter().map(|pursued| pursued.written.clone()).collect()).await?;
    }
    for mut pursued in all {
        let keeps = pursued.intent.answered || settle(acting, outcome, &mut pursued).await;
        if keeps {
            outcome.intents.push(pursued.written);
        }
    }
    Ok(())
}

fn begin(acting: &Acting<'_>, outcome: &Outcome, written: LaunchIntent, earlier: bool, inventory: Option<&Inventory>) -> Pursued {
    let intent = intent(&written);
    let asked_before = earlier.then_some(intent.asked_at);
    let mut pursued = Pursued { written, intent, asked_before, next: Next::Void };
    if !pursued.intent.answered {
        pursued.next = pursuit(acting, outcome, &pursued).begin(inventory);
    }
    pursued
}

fn pursuit<'a>(acting: &Acting<'_>, outcome: &Outcome, pursued: &'a Pursued) -> Pursuit<'a> {
    let offering = &pursued.intent.offering;
    let is_closed = |closed: &plan::Closed| closed.offering == *offering && closed.until > acting.now;
    Pursuit {
        intent: &pursued.intent,
        asked_before: pursued.asked_before,
        paused: ask::paused(acting),
        closed: offerings::closed(&outcome.offerings).iter().any(is_closed),
        deleting: outcome.fleet.metadata.deletion_timestamp.is_some(),
        now: acting.now,
    }
}

/// Writes down `all` intents. The API server refuses to when anybody else has written since the plan was made.
pub(super) async fn write(operator: &Operator, outcome: &mut Outcome, all: Vec<LaunchIntent>) -> Result<(), Error> {
    let mut fleet = outcome.fleet.clone();
    fleet.status.get_or_insert_default().launches = all;
    let written = operator.api(&fleet).replace_status(&fleet.name_any(), &PostParams::default(), &fleet).await;
    outcome.fleet = written.map_err(Error::Intent)?;
    Ok(())
}

/// Does what is to be done about an intent without an answer. Whether it is still to be remembered.
async fn settle(acting: &Acting<'_>, outcome: &mut Outcome, pursued: &mut Pursued) -> bool {
    acting.cloud.inventory.hurry();
    let mut next = pursued.next.clone();
    while let Next::Ask(question) = next {
        let reply = ask(acting, outcome, &pursued.written, question).await;
        next = pursuit(acting, outcome, pursued).after(reply);
    }
    match next {
        Next::Done(ids) => {
            // EC2 did it, whether its answer came or its list shows it: what it refused before is over.
            acting.operator.memory.with(acting.uid, |remembered| remembered.refusal = None);
            (pursued.written.instance_ids, pursued.written.answered) = (ids, true);
            true
        }
        Next::Open { asked_at } => {
            pursued.written.asked_at = Some(Time(asked_at)).filter(|at| *at != pursued.written.requested_at);
            true
        }
        Next::Ask(_) | Next::Void => false,
    }
}

async fn ask(acting: &Acting<'_>, outcome: &mut Outcome, intent: &LaunchIntent, question: Question) -> Reply {
    let offering = offerings::to_plan(&intent.offering);
    match question {
        Question::Listed if !may_list(acting) => Reply::Busy,
        Question::Listed => match acting.cloud.ec2.instances_tagged(tags::TOKEN, &intent.token).await {
            Ok(instances) => Reply::Lists(instances.into_iter().map(|instance| instance.id).collect()),
            Err(_) => Reply::Busy,
        },
        Question::Start => match ask::start(acting, intent).await {
            Ok(()) => {
                outcome.news.push(News::Started(intent.instance_ids.clone()));
                Reply::Did(intent.instance_ids.clone())
            }
            Err(error) => reply(ask::failed(acting, outcome, &offering, &error)),
        },
        Question::Launch => match acting.cloud.ec2.run_instances(&ask::launch(acting, &outcome.fleet, intent)).await {
            Ok(ids) => launched(acting, outcome, intent, &offering, ids),
            Err(error) => match ask::failed(acting, outcome, &offering, &error) {
                Verdict::Refused if error.is("IdempotentInstanceTerminated") => Reply::Over,
                verdict => reply(verdict),
            },
        },
    }
}

/// Whether it is time to ask what became of launches: once for all of a reconcile, however soon the next one comes.
fn may_list(acting: &Acting<'_>) -> bool {
    acting.operator.memory.with(acting.uid, |remembered| {
        let is_due = |at: Timestamp| at == acting.now || acting.now.duration_since(at).abs() >= LISTED_EVERY;
        let may = remembered.listed_at.is_none_or(is_due);
        if may {
            remembered.listed_at = Some(acting.now);
        }
        may
    })
}

fn reply(verdict: Verdict) -> Reply {
    match verdict {
        Verdict::Refused => Reply::Refused,
        Verdict::Throttled => Reply::Busy,
        Verdict::Unknown => Reply::Silence,
    }
}

/// Fewer than asked for means that EC2 has no room for more there.
fn launched(acting: &Acting<'_>, outcome: &mut Outcome, intent: &LaunchIntent, offering: &Offering, ids: Vec<String>) -> Reply {
    if ids.len() < usize::try_from(intent.count).unwrap_or(0) {
        let code = "InsufficientInstanceCapacity";
        offerings::refused(&mut outcome.offerings, offering, code, acting.closed_until());
        let message = format!("EC2 launched {} of {} and has no room for more.", ids.len(), intent.count);
        outcome.news.push(News::OfferingClosed { offering: offering.clone(), code: code.to_owned(), message });
        outcome.go_on = true;
    } else {
        offerings::launched(&mut outcome.offerings, offering);
    }
    outcome.news.push(News::Launched(offering.clone(), ids.clone()));
    Reply::Did(ids)
}
