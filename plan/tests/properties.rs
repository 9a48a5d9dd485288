//! Whatever is observed, the plan keeps the promises of `check`, does not depend on the order in which things are listed,
//! and more work never wants fewer workers.
#![allow(clippy::type_complexity, clippy::unwrap_used)]

mod common;

use common::{ago, booting, fleet, intent, noon, offering, per_worker, secs, spot};
use plan::{
    Action, Allowance, Change, Closed, Counted, Fallback, FallbackBehavior, Fleet, Instance, Intent, Inventory, Learned, Observed,
    Offering, Pause, Policy, Pool, QueueDepth, Recommendation, Rollout, Rules, Select, State, Target, Update, Waiting, check, decide,
};
use proptest::prelude::*;

fn targets() -> impl Strategy<Value = Target> {
    prop_oneof![(1u32..50).prop_map(per_worker), (1i64..400).prop_map(|seconds| Target::Drain(secs(seconds)))]
}

fn policies() -> impl Strategy<Value = Vec<Policy>> {
    let allowance = prop_oneof![(0u32..9).prop_map(Allowance::Workers), (0u32..300).prop_map(Allowance::Percent)];
    let policy = (allowance, 1i64..200).prop_map(|(allowance, period)| Policy { allowance, period: secs(period) });
    proptest::collection::vec(policy, 0..3)
}

prop_compose! {
    fn rules()(window in 0i64..300, select in 0usize..6, policies in policies(), tolerance in 0.0f64..0.4) -> Rules {
        let select = [Select::Max, Select::Max, Select::Max, Select::Min, Select::Min, Select::Disabled][select];
        Rules { window: secs(window), select, policies, tolerance }
    }
}

fn offerings() -> Vec<Offering> {
    vec![spot("a"), spot("b"), offering("a"), offering("b")]
}

fn fallbacks() -> impl Strategy<Value = Option<Fallback>> {
    use FallbackBehavior::{Current, CurrentIfHigher, CurrentIfLower, Static};
    let behavior = proptest::sample::select(vec![Static, Current, CurrentIfHigher, CurrentIfLower]);
    proptest::option::of((0u32..5, behavior, 0u32..30).prop_map(|(threshold, behavior, workers)| Fallback { threshold, behavior, workers }))
}

fn pauses() -> impl Strategy<Value = Pause> {
    let some = (any::<bool>(), proptest::option::of(0u32..40), any::<bool>(), any::<bool>());
    let pause = some.prop_map(|(paused, workers, scale_in, scale_out)| Pause { paused, workers, scale_in, scale_out });
    prop_oneof![4 => Just(Pause::default()), 1 => pause]
}

prop_compose! {
    fn sizes()(min in 0u32..5, more in 0u32..20, pinned in proptest::option::weighted(0.2, 0u32..40), activation in 0u64..20,
               deleting in proptest::bool::weighted(0.1), counted in any::<(bool, bool)>(), surge in 0u32..4, unavailable in 0u32..4,
               pool in (0u32..6, 0u32..6)) -> Fleet {
        Fleet {
            min, max: min + more, pinned, activation, deleting,
            counted: Counted { in_flight: counted.0, delayed: counted.1 },
            update: Update { max_surge: surge, max_unavailable: unavailable.max(u32::from(surge == 0)) },
            pool: Pool { max: pool.0, prepared: pool.1.min(pool.0), idle: secs(100) },
            ..fleet()
        }
    }
}

prop_compose! {
    fn fleets()(sizes in sizes(), target in targets(), scale_up in rules(), scale_down in rules(), fallback in fallbacks(), pause in pauses(),
                offered in proptest::sample::subsequence(offerings(), 1..=4), on_demand_base in 0u32..4) -> Fleet {
        Fleet { target, scale_up, scale_down, fallback, pause, offerings: offered, on_demand_base, ..sizes }
    }
}

fn states() -> impl Strategy<Value = State> {
    use State::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};
    prop_oneof![2 => Just(Pending), 6 => Just(Running), 1 => Just(ShuttingDown), 1 => Just(Terminated), 1 => Just(Stopping), 3 => Just(Stopped)]
}

prop_compose! {
    fn machines()(state in states(), age in 1i64..1000, at in 0usize..4, flags in any::<[bool; 5]>(),
                  draining in proptest::option::weighted(0.3, 0i64..300), since in 0i64..300, rate in proptest::option::of(0.0f64..5.0)) -> Instance {
        let [old, ready, reusable, warm, kept] = flags;
        Instance {
            state, ready, reusable, warm, kept,
            offering: offerings()[at].clone(),
            revision: if old { "old" } else { "new" }.to_owned(),
            jobs_per_second: rate,
            draining_since: draining.map(ago),
            stopped_since: ago(since.min(age)),
            ..booting("", age)
        }
    }
}

/// Ids and tokens are few, so that intents and instances meet.
fn named(instances: Vec<Instance>) -> Vec<Instance> {
    let name = |(n, instance)| Instance { id: format!("i-{n}"), token: format!("t-{}", n % 7), ..instance };
    instances.into_iter().enumerate().map(name).collect()
}

fn intents() -> impl Strategy<Value = Vec<Intent>> {
    let one = (1u32..6, 0i64..1200, proptest::collection::btree_set(0usize..40, 0..5), any::<[bool; 3]>(), 0usize..4);
    proptest::collection::vec(one, 0..5).prop_map(|list| {
        // An instance is of one intent at most: the status is written under a precondition.
        let mut taken = std::collections::BTreeSet::new();
        let mut make = |(n, (count, age, ids, [start, answered, old], at)): (
            usize,
            (u32, i64, std::collections::BTreeSet<usize>, [bool; 3], usize),
        )| {
            let ids: Vec<String> = ids.into_iter().filter(|id| taken.insert(*id)).map(|id| format!("i-{id}")).collect();
            let unknown = !start && !answered;
            Intent {
                action: if start { Action::Start } else { Action::Launch },
                count: if unknown { count } else { u32::try_from(ids.len()).unwrap() },
                offering: offerings()[at].clone(),
                revision: if old { "old" } else { "new" }.to_owned(),
                answered,
                instance_ids: if unknown { vec![] } else { ids },
                ..intent(&format!("t-{n}"), count, age, &[])
            }
        };
        list.into_iter().enumerate().map(&mut make).collect()
    })
}

fn closed() -> impl Strategy<Value = Vec<Closed>> {
    let one = (0usize..4, -300i64..300, 0u32..9)
        .prop_map(|(at, ago_seconds, probe)| (at, Closed { offering: offerings()[at].clone(), until: ago(ago_seconds), probe }));
    proptest::collection::btree_map(0usize..4, one, 0..3).prop_map(|map| {
        let mut seen = std::collections::BTreeSet::new();
        map.into_values().filter(|(at, _)| seen.insert(*at)).map(|(_, closed)| closed).collect()
    })
}

prop_compose! {
    fn pasts()(history in proptest::collection::vec((0i64..400, 0u32..40), 0..6), changes in proptest::collection::vec((0i64..200, -9i64..9), 0..4),
               rollout in (any::<bool>(), 0u32..5, proptest::option::of(0i64..4000)), failed_samples in 0u32..6,
               boots in proptest::option::of((1i64..200, 1i64..200)), blocked in proptest::bool::weighted(0.1)) -> Observed {
        let boot = |seconds: fn((i64, i64)) -> i64| boots.map(|boots| secs(seconds(boots)));
        Observed {
            history: history.into_iter().map(|(age, workers)| Recommendation { at: ago(age), workers }).collect(),
            changes: changes.into_iter().map(|(age, by)| Change { at: ago(age), by }).collect(),
            rollout: Rollout { proven: rollout.0, never_ready: rollout.1, failed_at: rollout.2.map(ago) },
            learned: Learned { boot_cold: boot(|boots| boots.0), boot_warm: boot(|boots| boots.1), jobs_per_second: None },
            failed_samples, launch_blocked: blocked.then(|| "blocked".to_owned()),
            ..Observed::default()
        }
    }
}

prop_compose! {
    fn observations()(past in pasts(), queue in proptest::option::weighted(0.9, (0u64..300, 0u64..100, 0u64..100)),
                      instances in proptest::collection::vec(machines(), 0..25).prop_map(named), intents in intents(), closed in closed(),
                      age in proptest::option::weighted(0.95, 0i64..35), desired in 0u32..30,
                      waiting in (0u64..50, proptest::option::of(0i64..100)), arrivals_per_second in 0.0f64..20.0) -> Observed {
        Observed {
            queue: queue.map(|(visible, in_flight, delayed)| QueueDepth { visible, in_flight, delayed }),
            inventory: age.map(|age| Inventory { at: ago(age), instances }),
            waiting: Waiting { images: waiting.0, oldest: waiting.1.map(ago) },
            intents, closed, desired, arrivals_per_second,
            ..past
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn every_plan_keeps_its_promises(fleet in fleets(), observed in observations()) {
        let plan = decide(&fleet, &observed, noon());
        prop_assert_eq!(check(&fleet, &observed, &plan, noon()), vec![], "{:#?}", plan);
    }

    #[test]
    fn the_order_in_which_things_are_listed_changes_nothing(fleet in fleets(), observed in observations(), by in 0usize..9) {
        let mut turned = observed.clone();
        fn turn<T>(list: &mut [T], by: usize) {
            let by = by % list.len().max(1);
            list.rotate_left(by);
            list[by..].reverse();
        }
        turned.inventory.iter_mut().for_each(|inventory| turn(&mut inventory.instances, by));
        turn(&mut turned.intents, by);
        turn(&mut turned.history, by);
        turn(&mut turned.changes, by);
        turn(&mut turned.closed, by);
        prop_assert_eq!(decide(&fleet, &observed, noon()), decide(&fleet, &turned, noon()));
    }

    /// But a stream that is late is let catch up.
    #[test]
    fn more_backlog_never_wants_fewer(fleet in fleets(), observed in observations(), more in 0u64..500) {
        let Some(depth) = observed.queue else { return Ok(()) };
        let mut fuller = observed.clone();
        fuller.queue = Some(QueueDepth { visible: depth.visible + more, ..depth });
        let (some, many) = (decide(&fleet, &observed, noon()), decide(&fleet, &fuller, noon()));
        let caught_up = observed.arrivals_per_second > 0.0 && many.steps.iter().any(|step| step.contains("which cannot be met"));
        prop_assert!(caught_up || many.desired >= some.desired, "{:#?}\n{:#?}", some, many);
    }

    /// A second operator that knows of the intents, whose list is older than they are, adds nothing.
    #[test]
    fn what_was_written_down_is_not_launched_again(mut fleet in fleets(), observed in observations()) {
        // A worker that is started leaves the pool, which another may fill.
        fleet.pool.prepared = 0;
        let first = decide(&fleet, &observed, noon());
        let mut later = observed.clone();
        later.desired = first.desired;
        let wanted = |action, offering: &Offering, count, instance_ids, token: String| Intent {
            action, offering: offering.clone(), count, instance_ids, revision: fleet.revision.clone(), ..intent(&token, count, 0, &[])
        };
        let starts = first.start.iter().map(|start| {
            wanted(Action::Start, &start.offering, u32::try_from(start.ids.len()).unwrap(), start.ids.clone(), format!("start {}", start.offering))
        });
        let launches = first.launch.iter().map(|launch| wanted(Action::Launch, &launch.offering, launch.count, vec![], launch.offering.to_string()));
        later.intents.extend(starts.chain(launches));
        let second = decide(&fleet, &later, noon());
        if second.desired == first.desired {
            prop_assert_eq!((common::launched(&second), common::started(&second).len()), (0, 0), "{:?}\n{:?}", first, second);
        }
    }
}
