//! A plan, carried out on the state machine of EC2. Chooses nothing.

use cloudsim::state::{LaunchRequest, LaunchSpec, MetadataOptions, ShutdownBehavior, SpotOptions, TagSpec, Tags};
use crds::{LaunchAction, LaunchIntent, OfferingStatus};
use ec2::tags;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use operator::memory::Told;
use operator::observe::Observation;
use operator::offerings;
use plan::{Launch, Plan, Start};

use super::{Operator, REVISION, UID};
use crate::world::IMAGE;

/// How long an offering without room is left alone, as the operator does it.
const CLOSED_FOR: SignedDuration = SignedDuration::from_mins(3);
/// What a worker that is started again is told, as the operator does it.
const WORK: &str = "work";

impl Operator {
    /// Does what `plan` says; true if more may be done at once: in another offering, say.
    pub(super) fn act(&mut self, observation: &Observation, plan: &Plan, now: Timestamp) -> bool {
        let mut intents = self.fleet.status.get_or_insert_default().launches.clone();
        intents.retain(|intent| !plan.settle.contains(&intent.token));
        let mut offerings = observation.offerings.clone();
        self.terminate(plan, now);
        let mut go_on = false;
        for start in &plan.start {
            go_on |= !self.start(start, &mut intents, &mut offerings, now);
        }
        for launch in &plan.launch {
            go_on |= !self.launch(launch, &mut intents, &mut offerings, now);
        }
        let told_to_leave: Vec<String> = plan.told_to_leave().cloned().collect();
        self.tell(&told_to_leave, tags::DRAIN, now, Told::Drain);
        self.tell(&plan.keep, tags::KEEP, now, Told::Keep);
        let status = self.fleet.status.get_or_insert_default();
        (status.launches, status.offerings) = (intents, offerings);
        go_on
    }

    fn terminate(&self, plan: &Plan, now: Timestamp) {
        let ids: Vec<String> = plan.terminate.iter().map(|ended| ended.id.clone()).collect();
        if !ids.is_empty() {
            self.world.ec2.act(|cloud, now| ((), cloud.terminate_instances(&ids, now).map(|(_, effects)| effects).unwrap_or_default()));
            self.told(&ids, Told::Terminate(now));
        }
    }

    fn tell(&self, ids: &[String], intent: &str, now: Timestamp, told: impl Fn(Timestamp) -> Told) {
        let order = [(tags::INTENT.to_owned(), intent.to_owned()), (tags::INTENT_AT.to_owned(), rfc3339(now))];
        for id in ids {
            // One that is gone by now needs no order.
            self.world
                .ec2
                .act(|cloud, now| (drop(cloud.create_tags(std::slice::from_ref(id), &Tags::from(order.clone()), now)), Vec::new()));
        }
        self.told(ids, told(now));
    }

    fn told(&self, ids: &[String], told: Told) {
        self.memory.with(UID, |remembered| remembered.told.extend(ids.iter().map(|id| (id.clone(), told))));
    }

    /// False where EC2 has no room.
    fn start(&mut self, start: &Start, intents: &mut Vec<LaunchIntent>, offerings: &mut Vec<OfferingStatus>, now: Timestamp) -> bool {
        let order = Tags::from([(tags::INTENT.to_owned(), WORK.to_owned()), (tags::STARTED.to_owned(), rfc3339(now))]);
        let started = self.world.ec2.act(|cloud, now| {
            let tagged = cloud.create_tags(&start.ids, &order, now);
            match tagged.and_then(|()| cloud.start_instances(&start.ids, now)) {
                Ok((_, effects)) => (true, effects),
                Err(_) => (false, Vec::new()),
            }
        });
        if started {
            intents.push(self.intent(LaunchAction::Start, &start.offering, start.ids.clone(), now));
        } else {
            offerings::refused(offerings, &start.offering, "InsufficientInstanceCapacity", now + CLOSED_FOR);
        }
        started
    }

    /// False where EC2 has no room for all.
    fn launch(&mut self, launch: &Launch, intents: &mut Vec<LaunchIntent>, offerings: &mut Vec<OfferingStatus>, now: Timestamp) -> bool {
        let mut intent = self.intent(LaunchAction::Launch, &launch.offering, Vec::new(), now);
        let overrides = self.spec(launch, &intent.token);
        let request = LaunchRequest { token: Some(intent.token.clone()), min_count: 1, max_count: launch.count, template: None, overrides };
        let launched = self.world.ec2.act(|cloud, now| (cloud.run_instances(request, now), Vec::new()));
        let ids = launched.map(|launched| launched.instance_ids).unwrap_or_default();
        let all = ids.len() >= launch.count as usize;
        if all {
            offerings::launched(offerings, &launch.offering);
        } else {
            offerings::refused(offerings, &launch.offering, "InsufficientInstanceCapacity", now + CLOSED_FOR);
        }
        if !ids.is_empty() {
            intent.count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
            intent.instance_ids = ids;
            intents.push(intent);
        }
        all
    }

    fn intent(&mut self, action: LaunchAction, offering: &plan::Offering, instance_ids: Vec<String>, now: Timestamp) -> LaunchIntent {
        self.tokens += 1;
        LaunchIntent {
            token: format!("token-{}", self.tokens),
            action,
            count: i32::try_from(instance_ids.len()).unwrap_or(i32::MAX),
            revision: REVISION.to_owned(),
            template_version: 1,
            offering: offerings::to_api(offering),
            requested_at: Time(now),
            asked_at: None,
            answered: true,
            instance_ids,
        }
    }

    fn spec(&self, launch: &Launch, token: &str) -> LaunchSpec {
        let tags = [(tags::UID, UID), (tags::REVISION, REVISION), (tags::TOKEN, token)];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let pool = self.fleet.spec.workers.warm_pool.max > 0;
        LaunchSpec {
            image_id: Some(IMAGE.to_owned()),
            instance_type: Some(launch.offering.instance_type.clone()),
            subnet_id: launch.offering.subnet_id.clone(),
            shutdown_behavior: Some(if pool { ShutdownBehavior::Stop } else { ShutdownBehavior::Terminate }),
            metadata: MetadataOptions { tags_enabled: Some(true), ..MetadataOptions::default() },
            tags: vec![TagSpec { resource_type: "instance".to_owned(), tags }],
            market: launch.offering.spot.then(SpotOptions::default),
            ..LaunchSpec::default()
        }
    }
}

fn rfc3339(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
