//! The calls to EC2 that make workers, and what their refusals mean for the fleet.

use crds::{ClassifierFleet, LaunchIntent};
use ec2::{Launch, Scope, Verdict, tags};
use jiff::SignedDuration;
use kube::ResourceExt as _;
use plan::Offering;

use super::{Acting, News, Outcome};
use crate::memory::Refusal;
use crate::offerings;
use crate::prepare::Fault;
use crate::revision::template_name;

/// After EC2's first refusal; doubles with each further one.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// After EC2 first asked for fewer calls: the client's own buckets slow down, too.
const THROTTLED: SignedDuration = SignedDuration::from_secs(1);
/// At most 5 s × 2⁶, about 5 minutes.
const DOUBLINGS: u32 = 6;
/// What a worker that is started again is told: neither to drain nor to stay.
const WORK: &str = "work";

/// Starts the stopped instances that `intent` names. Their tags first: a worker that finds the old order to drain would
/// leave at once. It may be asked for again, so nothing that the worker writes is touched: that it registered before it was
/// started shows by the times.
pub(super) async fn start(acting: &Acting<'_>, intent: &LaunchIntent) -> Result<(), ec2::Error> {
    // Whole seconds, as in the status: asked for again, it is the same order.
    let at = intent.requested_at.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let order = [(tags::INTENT.to_owned(), WORK.to_owned()), (tags::STARTED.to_owned(), at)];
    acting.cloud.ec2.create_tags(&intent.instance_ids, &order).await?;
    // What it was told before is over, though a clock that jumped may have dated that later than this.
    acting.operator.memory.with(acting.uid, |remembered| remembered.told.retain(|id, _| !intent.instance_ids.contains(id)));
    acting.cloud.ec2.start_instances(&intent.instance_ids).await
}

/// The launch that `intent` is for.
pub(super) fn launch(acting: &Acting<'_>, fleet: &ClassifierFleet, intent: &LaunchIntent) -> Launch {
    // EC2 tags a launch, not an instance: those launched together share a name.
    let short = intent.token.get(..8).unwrap_or(&intent.token);
    let tags = [
        (tags::UID, fleet.uid().unwrap_or_default()),
        (tags::CLUSTER, acting.operator.cluster.clone()),
        (tags::NAMESPACE, fleet.namespace().unwrap_or_default()),
        (tags::FLEET, fleet.name_any()),
        (tags::REVISION, intent.revision.clone()),
        (tags::TOKEN, intent.token.clone()),
        (tags::NAME, format!("{}-worker-{short}", fleet.name_any())),
    ];
    let crds::Offering { instance_type, subnet_id, spot } = intent.offering.clone();
    Launch {
        token: intent.token.clone(),
        template: template_name(fleet),
        template_version: intent.template_version,
        offering: ec2::Offering { instance_type, subnet_id, spot },
        count: intent.count,
        tags: tags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// EC2 failed a moment ago: it is not asked again before the pause is over, whoever asks.
pub(super) fn paused(acting: &Acting<'_>) -> bool {
    let now = acting.now;
    acting.operator.memory.with(acting.uid, |remembered| remembered.refusal.as_ref().is_some_and(|refusal| refusal.until > now))
}

/// Takes in that EC2 did not do it. A refusal that another offering mends closes this one, and the next is tried at once;
/// any other holds all launches up for a while.
pub(super) fn failed(acting: &Acting<'_>, outcome: &mut Outcome, offering: &Offering, error: &ec2::Error) -> Verdict {
    let verdict = error.verdict();
    let code = error.code.clone().unwrap_or_else(|| "NoAnswer".to_owned());
    let message = error.to_string();
    if code == "ClientThrottled" {
        // Nothing was sent: our own pace, no fault of EC2's.
        return verdict;
    }
    if verdict == Verdict::Refused && error.scope() == Scope::Offering {
        offerings::refused(&mut outcome.offerings, offering, &code, acting.closed_until());
        outcome.news.push(News::OfferingClosed { offering: offering.clone(), code, message });
        outcome.go_on = true;
        return verdict;
    }
    acting.operator.memory.with(acting.uid, |remembered| {
        if code.starts_with("InvalidLaunchTemplate") {
            // Somebody deleted it: it is made again at once.
            remembered.needs = None;
        }
        let times = remembered.refusal.as_ref().map_or(0, |refusal| refusal.times);
        let first = if verdict == Verdict::Throttled { THROTTLED } else { PAUSE };
        let until = acting.now + first * (1 << times.min(DOUBLINGS));
        remembered.refusal = Some(Refusal { code: code.clone(), message: message.clone(), until, times: times + 1 });
    });
    outcome.fault = Some(Fault { reason: "LaunchFailed", message: message.clone() });
    outcome.news.push(News::LaunchFailed { code, message });
    verdict
}
