//! Launches that can be neither lost nor doubled: an intent is written down under a resourceVersion, its token is EC2's
//! ClientToken, and an intent whose outcome is unknown is asked for again with that token.

use crds::{ClassifierFleet, LaunchIntent, Offering};
use ec2::{Launch, Verdict, tags};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use kube::api::PostParams;
use plan::{INTENT_KEPT, Inventory};
use uuid::Uuid;

use super::{News, Outcome};
use crate::context::Operator;
use crate::memory::Refusal;
use crate::prepare::Fault;
use crate::reconcile::Error;
use crate::revision::{Revision, template_name};

/// After EC2's first refusal; doubles with each further one.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// At most 5 s × 2⁶, about 5 minutes.
const DOUBLINGS: u32 = 6;

/// What became of asking EC2.
enum Answer {
    /// These instances belong to the intent.
    Launched(Vec<String>),
    /// Nothing was launched, and asking again would launch nothing.
    Void,
    /// Not known yet.
    Open,
}

/// The intent to launch `count` instances of `revision`.
pub fn intent(fleet: &ClassifierFleet, revision: &Revision, template_version: i64, count: u32, now: Timestamp) -> LaunchIntent {
    LaunchIntent {
        token: Uuid::new_v4().to_string(),
        count: i32::try_from(count).unwrap_or(i32::MAX),
        revision: revision.name().to_owned(),
        template_version,
        offering: Offering {
            instance_type: revision.version.instance_type.clone(),
            subnet_id: fleet.spec.workers.template.subnet_ids.first().cloned(),
        },
        requested_at: Time(now),
        instance_ids: Vec::new(),
    }
}

/// Writes `intent` into the fleet's status. The API server refuses it when anybody has written since the plan was made:
/// then the plan is void too.
pub async fn write_down(operator: &Operator, outcome: &mut Outcome, intent: LaunchIntent) -> Result<(), Error> {
    let mut fleet = outcome.fleet.clone();
    let mut intents = outcome.intents.clone();
    intents.push(intent);
    fleet.status.get_or_insert_default().launches.clone_from(&intents);
    let written = operator.fleets(&fleet).replace_status(&fleet.name_any(), &PostParams::default(), &fleet).await;
    outcome.fleet = written.map_err(Error::Intent)?;
    outcome.intents = intents;
    Ok(())
}

/// Asks EC2 for each intent that has no answer yet.
pub async fn pursue(operator: &Operator, outcome: &mut Outcome, inventory: Option<&Inventory>, now: Timestamp) {
    let mut open = Vec::new();
    for mut intent in std::mem::take(&mut outcome.intents) {
        if intent.instance_ids.is_empty() {
            operator.inventory.hurry();
            match ask(operator, outcome, &intent, inventory, now).await {
                Answer::Launched(ids) => intent.instance_ids = ids,
                Answer::Open => {}
                Answer::Void => continue,
            }
        }
        open.push(intent);
    }
    outcome.intents = open;
}

async fn ask(operator: &Operator, outcome: &mut Outcome, intent: &LaunchIntent, inventory: Option<&Inventory>, now: Timestamp) -> Answer {
    // A list may show some of a launch before the others: only a whole one is an answer. EC2 repeats its own in full.
    let listed = inventory.into_iter().flat_map(|inventory| inventory.launched_with(&intent.token));
    let listed: Vec<String> = listed.map(|instance| instance.id.clone()).collect();
    if !listed.is_empty() && listed.len() >= wanted(intent) {
        return Answer::Launched(listed);
    }
    // Later, a lost answer is possible: then a refusal does not prove that nothing was launched.
    let first = intent.requested_at.0 == now;
    if !first && paused(operator, outcome, now) {
        return Answer::Open;
    }
    if outcome.fleet.metadata.deletion_timestamp.is_some() {
        return look_up(operator, intent, now).await;
    }
    match operator.ec2.run_instances(&launch(&outcome.fleet, intent)).await {
        Ok(ids) => {
            let uid = outcome.fleet.uid().unwrap_or_default();
            operator.memory.with(&uid, |remembered| remembered.refusal = None);
            outcome.news.push(News::Launched(ids.clone()));
            Answer::Launched(ids)
        }
        Err(error) => {
            failed(operator, outcome, &error, now);
            match error.verdict() {
                Verdict::Refused if error.is("IdempotentInstanceTerminated") || first => Answer::Void,
                Verdict::Refused => look_up(operator, intent, now).await,
                Verdict::Throttled | Verdict::Unknown => Answer::Open,
            }
        }
    }
}

/// EC2 failed a moment ago: it is not asked again before the pause is over, whoever asks.
fn paused(operator: &Operator, outcome: &Outcome, now: Timestamp) -> bool {
    let uid = outcome.fleet.uid().unwrap_or_default();
    operator.memory.with(&uid, |remembered| remembered.refusal.as_ref().is_some_and(|refusal| refusal.until > now))
}

/// What EC2 lists of the intent. After longer than its lists can lag, that is all there is: perhaps nothing.
async fn look_up(operator: &Operator, intent: &LaunchIntent, now: Timestamp) -> Answer {
    let Ok(instances) = operator.ec2.instances_tagged(tags::TOKEN, &intent.token).await else { return Answer::Open };
    let settled = now.duration_since(intent.requested_at.0) > INTENT_KEPT;
    match instances.len() {
        0 if settled => Answer::Void,
        some if some >= wanted(intent) || (settled && some > 0) => {
            Answer::Launched(instances.into_iter().map(|instance| instance.id).collect())
        }
        _ => Answer::Open,
    }
}

fn wanted(intent: &LaunchIntent) -> usize {
    usize::try_from(intent.count).unwrap_or(0)
}

fn launch(fleet: &ClassifierFleet, intent: &LaunchIntent) -> Launch {
    // EC2 tags a launch, not an instance: those launched together share a name.
    let short = intent.token.get(..8).unwrap_or(&intent.token);
    let tags = [
        (tags::UID, fleet.uid().unwrap_or_default()),
        (tags::NAMESPACE, fleet.namespace().unwrap_or_default()),
        (tags::FLEET, fleet.name_any()),
        (tags::REVISION, intent.revision.clone()),
        (tags::TOKEN, intent.token.clone()),
        (tags::NAME, format!("{}-worker-{short}", fleet.name_any())),
    ];
    Launch {
        token: intent.token.clone(),
        template: template_name(fleet),
        template_version: intent.template_version,
        instance_type: intent.offering.instance_type.clone(),
        subnet_id: intent.offering.subnet_id.clone(),
        count: intent.count,
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

fn failed(operator: &Operator, outcome: &mut Outcome, error: &ec2::Error, now: Timestamp) {
    let uid = outcome.fleet.uid().unwrap_or_default();
    let code = error.code.clone().unwrap_or_else(|| "NoAnswer".to_owned());
    operator.memory.with(&uid, |remembered| {
        let times = remembered.refusal.as_ref().map_or(0, |refusal| refusal.times);
        let pause = PAUSE * (1 << times.min(DOUBLINGS));
        remembered.refusal = Some(Refusal { code: code.clone(), message: error.to_string(), until: now + pause, times: times + 1 });
    });
    outcome.fault = Some(Fault { reason: "LaunchFailed", message: error.to_string() });
    outcome.news.push(News::LaunchFailed { code, message: error.to_string() });
}
