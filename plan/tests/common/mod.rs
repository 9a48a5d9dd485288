//! Fleets and observations for tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use plan::{Counted, Fleet, Instance, Intent, Inventory, Observed, Plan, QueueDepth, State, check, decide};

/// A time to count from.
pub fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// So many seconds before noon.
pub fn ago(seconds: i64) -> Timestamp {
    noon() - SignedDuration::from_secs(seconds)
}

/// Between 0 and 10 workers, 5 messages each, a window of 60 s.
pub fn fleet() -> Fleet {
    Fleet {
        min: 0,
        max: 10,
        pinned: None,
        messages_per_worker: NonZeroU32::new(5).unwrap(),
        counted: Counted { in_flight: true, delayed: false },
        scale_down_window: SignedDuration::from_secs(60),
        boot_timeout: SignedDuration::from_secs(300),
        drain_timeout: SignedDuration::from_secs(120),
        revision: "new".to_owned(),
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
    Instance { ready: true, ..booting(id, age) }
}

/// A worker that has not registered.
pub fn booting(id: &str, age: i64) -> Instance {
    Instance {
        id: id.to_owned(),
        state: State::Running,
        launched_at: ago(age),
        revision: "new".to_owned(),
        token: String::new(),
        ready: false,
        draining_since: None,
    }
}

/// A worker told to drain so long before noon.
pub fn draining(id: &str, since: i64) -> Instance {
    Instance { draining_since: Some(ago(since)), ..ready(id, since + 600) }
}

/// An intent written so long before noon.
pub fn intent(token: &str, count: u32, age: i64, ids: &[&str]) -> Intent {
    Intent { token: token.to_owned(), count, requested_at: ago(age), instance_ids: ids.iter().map(|id| (*id).to_owned()).collect() }
}

/// The plan at noon, which must keep all promises.
pub fn plan(fleet: &Fleet, observed: &Observed) -> Plan {
    let plan = decide(fleet, observed, noon());
    assert_eq!(check(fleet, observed, &plan, noon()), [], "{plan:#?}");
    plan
}
