//! Whatever is observed, the plan keeps the promises of `check`; and carried out, it reaches what it wants and stays there.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ago, fleet, noon};
use jiff::SignedDuration;
use plan::{Counted, Fleet, Instance, Intent, Inventory, Observed, QueueDepth, Recommendation, State, check, decide};
use proptest::prelude::*;

prop_compose! {
    fn fleets()(min in 0u32..5, more in 0u32..20, pinned in proptest::option::of(0u32..40), per_worker in 1u32..50,
                in_flight: bool, delayed: bool, window in 0i64..600, deleting in proptest::bool::weighted(0.2)) -> Fleet {
        Fleet {
            min, max: min + more, pinned, messages_per_worker: per_worker.try_into().unwrap(), counted: Counted { in_flight, delayed },
            scale_down_window: SignedDuration::from_secs(window), deleting, ..fleet()
        }
    }
}

fn states() -> impl Strategy<Value = State> {
    use State::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    prop_oneof![2 => Just(Pending), 6 => Just(Running), 1 => Just(ShuttingDown), 1 => Just(Terminated), 1 => Just(Stopping), 1 => Just(Stopped)]
}

fn instances() -> impl Strategy<Value = Vec<Instance>> {
    let one = (states(), 0i64..1000, any::<bool>(), any::<bool>(), proptest::option::weighted(0.3, 0i64..300));
    proptest::collection::vec(one, 0..25).prop_map(|list| {
        let make = |(n, (state, age, old, ready, draining)): (usize, (State, i64, bool, bool, Option<i64>))| Instance {
            id: format!("i-{n}"),
            state,
            launched_at: ago(age),
            revision: if old { "old" } else { "new" }.to_owned(),
            token: format!("t-{}", n % 7),
            ready,
            draining_since: draining.map(ago),
        };
        list.into_iter().enumerate().map(make).collect()
    })
}

fn intents() -> impl Strategy<Value = Vec<Intent>> {
    let one = (1u32..6, 0i64..1200, proptest::collection::vec(0usize..40, 0..5));
    proptest::collection::vec(one, 0..5).prop_map(|list| {
        let make = |(n, (count, age, ids)): (usize, (u32, i64, Vec<usize>))| Intent {
            token: format!("t-{n}"),
            count,
            requested_at: ago(age),
            instance_ids: ids.into_iter().map(|id| format!("i-{id}")).collect(),
        };
        list.into_iter().enumerate().map(make).collect()
    })
}

prop_compose! {
    fn observations()(queue in proptest::option::weighted(0.9, (0u64..300, 0u64..100, 0u64..100)), instances in instances(),
                      intents in intents(), age in proptest::option::weighted(0.95, 0i64..35), desired in 0u32..30,
                      history in proptest::collection::vec((0i64..700, 0u32..40), 0..6), blocked in proptest::bool::weighted(0.1)) -> Observed {
        Observed {
            queue: queue.map(|(visible, in_flight, delayed)| QueueDepth { visible, in_flight, delayed }),
            inventory: age.map(|age| Inventory { at: ago(age), instances }),
            intents, desired,
            history: history.into_iter().map(|(age, workers)| Recommendation { at: ago(age), workers }).collect(),
            launch_blocked: blocked.then(|| "blocked".to_owned()),
        }
    }
}

/// EC2 does at once what the plan says.
fn carried_out(observed: &Observed, plan: &plan::Plan) -> Observed {
    let mut after = observed.clone();
    after.desired = plan.desired;
    after.intents.retain(|intent| !plan.settle.contains(&intent.token) && !plan.pursue.contains(&intent.token));
    let inventory = after.inventory.as_mut().unwrap();
    let launched = (0..plan.launch).map(|n| common::booting(&format!("i-launched-{n}"), 0));
    inventory.instances.extend(launched);
    for instance in &mut inventory.instances {
        if plan.drain.contains(&instance.id) || plan.terminate.iter().any(|ended| ended.id == instance.id) {
            instance.state = State::Terminated;
        }
    }
    after
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn every_plan_keeps_its_promises(fleet in fleets(), observed in observations()) {
        let plan = decide(&fleet, &observed, noon());
        prop_assert_eq!(check(&fleet, &observed, &plan, noon()), vec![], "{:#?}", plan);
    }

    /// Done twice, the second plan has nothing left to launch or drain: no oscillation, no creeping.
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(fleet in fleets(), mut observed in observations()) {
        observed.intents.clear();
        observed.launch_blocked = None;
        let Some(inventory) = observed.inventory.as_mut() else { return Ok(()) };
        inventory.at = noon();
        // What drains would count towards max until it is gone.
        inventory.instances.retain(|instance| instance.draining_since.is_none());
        let first = decide(&fleet, &observed, noon());
        let second = decide(&fleet, &carried_out(&observed, &first), noon());
        prop_assert_eq!((second.launch, second.drain.len(), second.terminate.len()), (0, 0, 0), "{:#?}\n{:#?}", first, second);
        prop_assert_eq!(second.census.capacity(), second.desired);
    }

    #[test]
    fn more_backlog_never_wants_fewer(fleet in fleets(), observed in observations(), more in 0u64..500) {
        let Some(depth) = observed.queue else { return Ok(()) };
        let mut fuller = observed.clone();
        fuller.queue = Some(QueueDepth { visible: depth.visible + more, ..depth });
        prop_assert!(decide(&fleet, &fuller, noon()).desired >= decide(&fleet, &observed, noon()).desired);
    }
}
