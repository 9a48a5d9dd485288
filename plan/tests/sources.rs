//! Where workers come from, and which stopped ones are kept.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ago, fleet, intent, launched, observed, offering, outdated, plan, ready, secs, spot, started, stopped, terminated};
use plan::{Closed, Fleet, Instance, Learned, Observed, Pool, Reason};

fn counts(plan: &plan::Plan) -> Vec<(String, u32)> {
    plan.launch.iter().map(|launch| (launch.offering.to_string(), launch.count)).collect()
}

fn closed(instance_type: &str, seconds: i64, probe: u32) -> Closed {
    Closed { offering: offering(instance_type), until: ago(-seconds), probe }
}

#[test]
fn offerings_are_tried_in_order_and_closed_ones_probed() {
    let fleet = Fleet { offerings: vec![offering("a"), offering("b"), offering("c")], ..fleet() };
    let asked = |closed: Vec<Closed>, intents| {
        let observed = Observed { closed, intents, ..observed(30, vec![]) };
        let plan = plan(&fleet, &observed);
        (counts(&plan), plan.steps.last().unwrap().clone())
    };
    let many = |list: &[(&str, u32)]| -> Vec<(String, u32)> { list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect() };
    assert_eq!(asked(vec![], vec![]).0, many(&[("a", 6)]));
    assert_eq!(asked(vec![closed("a", 1, 1)], vec![]).0, many(&[("b", 6)]), "while it is closed");
    assert_eq!(asked(vec![closed("a", 0, 1)], vec![]).0, many(&[("a", 1), ("b", 5)]), "then a probe");
    assert_eq!(asked(vec![closed("a", 0, 4)], vec![]).0, many(&[("a", 4), ("b", 2)]), "of doubled size");
    let probing = plan::Intent { offering: offering("a"), ..intent("probe", 1, 1, &[]) };
    assert_eq!(asked(vec![closed("a", 0, 4)], vec![probing]).0, many(&[("b", 5)]), "one probe at a time");
    let (none, sentence) = asked(vec![closed("a", 100, 1), closed("b", 50, 1), closed("c", 75, 1)], vec![]);
    assert_eq!(
        (none, sentence.as_str()),
        (vec![], "6 more must wait: EC2 has no room in any offering, the first opens at 2026-06-01T12:00:50Z.")
    );
}

#[test]
fn the_first_workers_are_on_demand_and_the_others_spot() {
    let offerings = vec![spot("a"), spot("b"), offering("a"), offering("b")];
    let fleet = Fleet { offerings, on_demand_base: 2, ..fleet() };
    let there = |spots: bool| Instance { offering: if spots { spot("a") } else { offering("b") }, ..ready("i", 100) };
    let table = [
        ("none", vec![], vec![("a", 2), ("a (spot)", 3)]),
        ("one on-demand", vec![there(false)], vec![("a", 1), ("a (spot)", 3)]),
        ("one spot", vec![there(true)], vec![("a", 2), ("a (spot)", 2)]),
    ];
    for (name, instances, expected) in table {
        let expected: Vec<(String, u32)> = expected.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        assert_eq!(counts(&plan(&fleet, &observed(25, instances))), expected, "{name}");
    }
    let without_room = Observed { closed: vec![closed("a", 9, 1), closed("b", 9, 1)], ..observed(25, vec![]) };
    assert_eq!(counts(&plan(&fleet, &without_room)), [("a (spot)".to_owned(), 5)], "rather spot than none");
}

fn pooled(max: u32, prepared: u32) -> Fleet {
    Fleet { pool: Pool { max, prepared, idle: secs(600) }, ..fleet() }
}

#[test]
fn stopped_workers_are_started_before_new_ones_are_launched() {
    let pool = vec![stopped("i-old", 300), stopped("i-new", 100), outdated(stopped("i-outdated", 10))];
    let some = plan(&pooled(5, 0), &observed(5, pool.clone()));
    assert_eq!((started(&some), launched(&some)), (vec!["i-new"], 0), "the one that stopped last first");
    let more = plan(&pooled(5, 0), &observed(20, pool.clone()));
    assert_eq!((started(&more), launched(&more)), (vec!["i-new", "i-old"], 2));
    let learned = Learned { boot_cold: Some(secs(20)), boot_warm: Some(secs(40)), jobs_per_second: None };
    let slow = plan(&pooled(5, 0), &Observed { learned, ..observed(5, pool.clone()) });
    assert_eq!((started(&slow), launched(&slow)), (vec![], 1), "where starting takes longer, it is not preferred");
    let without_room = Observed { learned, closed: vec![closed("t3.small", 9, 1)], ..observed(5, pool) };
    assert_eq!(started(&plan(&pooled(5, 0), &without_room)).len(), 0, "starting takes room, too");
}

#[test]
fn the_pool_keeps_what_can_be_used_up_to_its_size_and_for_its_time() {
    use Reason::{NotReusable, PoolFull, PoolIdle};
    let pool = vec![
        stopped("i-1", 100),
        stopped("i-2", 200),
        stopped("i-3", 601),
        outdated(stopped("i-outdated", 1)),
        Instance { reusable: false, ..stopped("i-never-ready", 1) },
        Instance { offering: spot("t3.small"), ..stopped("i-spot", 1) },
        Instance { offering: offering("m5.large"), ..stopped("i-other", 1) },
    ];
    let useless = [("i-never-ready", NotReusable), ("i-other", NotReusable), ("i-outdated", NotReusable), ("i-spot", NotReusable)];
    let table = [
        (3, 0, vec![("i-3", PoolIdle)]),
        (3, 3, vec![]),
        (2, 2, vec![("i-3", PoolFull)]),
        (1, 0, vec![("i-2", PoolFull), ("i-3", PoolFull)]),
    ];
    for (max, prepared, mut expected) in table {
        expected.extend(useless);
        expected.sort_by_key(|(id, _)| *id);
        let plan = plan(&pooled(max, prepared), &observed(0, pool.clone()));
        assert_eq!(terminated(&plan), expected, "max {max}, prepared {prepared}");
    }
}

#[test]
fn workers_for_the_pool_are_new_on_demand_and_within_max() {
    let fleet = Fleet { offerings: vec![spot("a"), offering("a")], ..pooled(4, 3) };
    let none = plan(&fleet, &observed(0, vec![]));
    assert_eq!((none.desired, counts(&none)), (0, vec![("a".to_owned(), 3)]));
    let full = plan(&Fleet { max: 2, ..fleet.clone() }, &observed(5, vec![ready("i", 100)]));
    assert_eq!(counts(&full), [("a".to_owned(), 1)], "max bounds all that lives");
    let only_spot = plan(&Fleet { offerings: vec![spot("a")], ..fleet }, &observed(0, vec![]));
    assert_eq!(counts(&only_spot), [], "spot ones cannot be stopped");
}
