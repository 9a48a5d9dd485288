//! Fleets and observations for tests.
#![allow(dead_code, clippy::unwrap_used)]

pub mod cloud;
pub mod operator;
pub mod play;
pub mod reconcile;

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use plan::{
    Action, Counted, Fleet, Inputs, Instance, Intent, Inventory, Observed, Offering, Pause, Plan, Pool, QueueDepth, Rules, Select, State,
    Target, Update, check, decide,
};

/// A time to count from.
pub fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// So many seconds before noon.
pub fn ago(seconds: i64) -> Timestamp {
    noon() - SignedDuration::from_secs(seconds)
}

pub fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// No policies, a window of so many seconds.
pub fn rules(window: i64) -> Rules {
    Rules { window: secs(window), select: Select::Max, policies: vec![], tolerance: 0.1 }
}

/// On-demand, in the default subnet.
pub fn offering(instance_type: &str) -> Offering {
    Offering { instance_type: instance_type.to_owned(), subnet_id: None, spot: false }
}

pub fn spot(instance_type: &str) -> Offering {
    Offering { spot: true, ..offering(instance_type) }
}

pub fn per_worker(messages: u32) -> Target {
    Target::MessagesPerWorker(NonZeroU32::new(messages).unwrap())
}

/// Between 0 and 10 workers, 5 messages each, a scale-down window of 60 s, one offering, no pool.
pub fn fleet() -> Fleet {
    Fleet {
        min: 0,
        max: 10,
        pinned: None,
        target: per_worker(5),
        counted: Counted { in_flight: true, delayed: false },
        places: u64::MAX,
        activation: 0,
        scale_up: rules(0),
        scale_down: rules(60),
        fallback: None,
        pause: Pause::default(),
        boot_timeout: secs(300),
        drain_timeout: secs(120),
        revision: "new".to_owned(),
        offerings: vec![offering("t3.small")],
        on_demand_base: 0,
        pool: Pool { max: 0, prepared: 0, idle: secs(600) },
        update: Update { max_unavailable: 1, max_surge: 1 },
        deleting: false,
    }
}

/// `visible` jobs wait, EC2 lists `instances` now.
pub fn observed(visible: u64, instances: Vec<Instance>) -> Observed {
    Observed {
        queue: Some(QueueDepth { visible, in_flight: 0, delayed: 0 }),
        inventory: Some(Inventory { at: noon(), instances }),
        ..Observed::default()
    }
}

/// A ready worker, launched so long before noon.
pub fn ready(id: &str, age: i64) -> Instance {
    Instance { ready: true, reusable: true, ..booting(id, age) }
}

/// A worker that has not registered.
pub fn booting(id: &str, age: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        state: State::Running,
        launched_at: ago(age),
        offering: offering("t3.small"),
        revision: "new".to_owned(),
        token: String::new(),
        ready: false,
        reusable: false,
        jobs_per_second: None,
        warm: false,
        kept: false,
        draining_since: None,
        boots_since: ago(age),
        stopped_since: ago(age),
    }
}

/// A worker told to drain so long before noon.
pub fn draining(id: &str, since: i64) -> Instance {
    Instance { draining_since: Some(ago(since)), ..ready(id, since + 600) }
}

/// A worker that has been stopped for so long at noon, and can be started.
pub fn stopped(id: &str, since: i64) -> Instance {
    Instance { state: State::Stopped, ready: true, reusable: true, stopped_since: ago(since), ..booting(id, since + 600) }
}

pub fn outdated(instance: Instance) -> Instance {
    Instance { revision: "old".to_owned(), ..instance }
}

/// An intent to launch, written so long before noon; answered when there are ids.
pub fn intent(token: &str, count: u32, age: i64, ids: &[&str]) -> Intent {
    Intent {
        token: token.to_owned(),
        action: Action::Launch,
        count,
        offering: offering("t3.small"),
        revision: "new".to_owned(),
        requested_at: ago(age),
        asked_at: ago(age),
        answered: !ids.is_empty(),
        instance_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    }
}

/// An intent to start, written so long before noon.
pub fn start_intent(token: &str, age: i64, answered: bool, ids: &[&str]) -> Intent {
    let count = u32::try_from(ids.len()).unwrap();
    Intent { action: Action::Start, answered, ..intent(token, count, age, ids) }
}

/// The plan at noon, which must keep all promises.
pub fn plan(fleet: &Fleet, observed: &Observed) -> Plan {
    let plan = decide(fleet, observed, noon());
    assert_eq!(check(fleet, observed, &plan, noon()), [], "{plan:#?}");
    plan
}

/// How many the plan launches.
pub fn launched(plan: &Plan) -> u32 {
    plan.launch.iter().map(|launch| launch.count).sum()
}

/// Whom the plan starts.
pub fn started(plan: &Plan) -> Vec<&str> {
    plan.start.iter().flat_map(|start| &start.ids).map(String::as_str).collect()
}

/// Whom the plan terminates, and why.
pub fn terminated(plan: &Plan) -> Vec<(&str, plan::Reason)> {
    plan.terminate.iter().map(|ended| (ended.id.as_str(), ended.reason)).collect()
}

/// Nothing waits, nobody works, workers boot in 30 s or 20 s and do a job a second.
pub fn inputs() -> Inputs {
    Inputs { measured: true, ..Inputs::of(&fleet(), &observed(0, vec![]), noon()) }
}
