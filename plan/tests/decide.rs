//! What the decision does in the situations that it was written for.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ago, booting, draining, fleet, intent, noon, observed, plan, ready};
use plan::{Fleet, Instance, LimitedBy, Observed, Reason, Recommendation, State, decide};

#[test]
fn the_first_job_launches_the_first_worker() {
    let plan = plan(&fleet(), &observed(1, vec![]));
    assert_eq!((plan.desired, plan.launch), (1, 1));
    assert_eq!(
        plan.steps,
        ["Backlog 1 (visible 1, in flight 0, delayed 0) at 5 a worker asks for 1.", "Launching 1; 0 ready, 0 on their way."]
    );
}

#[test]
fn workers_follow_the_backlog_up_to_max() {
    for (visible, desired, limit) in [(0, 0, None), (5, 1, None), (6, 2, None), (50, 10, None), (51, 10, Some(LimitedBy::Max))] {
        let plan = plan(&fleet(), &observed(visible, vec![]));
        assert_eq!((plan.desired, plan.launch, plan.limited_by), (desired, desired, limit), "backlog {visible}");
    }
}

#[test]
fn min_runs_without_work() {
    let plan = plan(&Fleet { min: 2, ..fleet() }, &observed(0, vec![ready("i-1", 100)]));
    assert_eq!((plan.desired, plan.launch, plan.limited_by), (2, 1, Some(LimitedBy::Min)));
}

#[test]
fn what_is_on_its_way_is_not_launched_again() {
    // 20 jobs want 4: one boots, one was answered and is not listed yet, one was asked for without an answer.
    let mut observed = observed(20, vec![booting("i-1", 20)]);
    observed.intents = vec![intent("answered", 1, 3, &["i-2"]), intent("unanswered", 1, 2, &[])];
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.desired, plan.launch), (4, 1));
    assert_eq!(plan.pursue, ["unanswered"]);
    assert_eq!((plan.census.booting, plan.census.coming), (1, 2));
}

/// EC2's answer was lost, and its list is quicker than our next question: the same instances must not count twice.
#[test]
fn listed_instances_of_an_unanswered_intent_count_once() {
    let launched = |id: &str| Instance { token: "lost".to_owned(), ..booting(id, 5) };
    for (listed, coming) in [(vec![], 2), (vec![launched("i-1")], 1), (vec![launched("i-1"), launched("i-2")], 0)] {
        let mut observed = observed(10, listed);
        observed.intents = vec![intent("lost", 2, 6, &[])];
        let plan = plan(&fleet(), &observed);
        assert_eq!((plan.census.coming, plan.census.capacity()), (coming, 2));
        assert_eq!((plan.launch, plan.drain.len()), (0, 0));
    }
}

#[test]
fn an_intent_is_kept_until_it_is_listed_and_old() {
    let listed = vec![ready("i-1", 500)];
    let table = [
        (intent("fresh and listed", 1, 119, &["i-1"]), false),
        (intent("old and listed", 1, 121, &["i-1"]), true),
        (intent("old and unlisted", 1, 121, &["i-2"]), false),
        (intent("very old and unlisted", 1, 901, &["i-2"]), true),
        (intent("very old and unanswered", 1, 901, &[]), false),
    ];
    for (intent, settled) in table {
        let mut observed = observed(5, listed.clone());
        observed.intents = vec![intent.clone()];
        assert_eq!(plan(&fleet(), &observed).settle.contains(&intent.token), settled, "{}", intent.token);
    }
}

#[test]
fn the_window_delays_falling_and_never_rising() {
    let mut observed = observed(5, vec![ready("i-1", 100), ready("i-2", 100), ready("i-3", 100)]);
    observed.desired = 3;
    observed.history = vec![Recommendation { at: ago(59), workers: 2 }, Recommendation { at: ago(61), workers: 9 }];
    let kept = plan(&fleet(), &observed);
    assert_eq!((kept.desired, kept.drain.len()), (2, 1), "2 were asked for within the window");
    observed.queue.as_mut().unwrap().visible = 30;
    assert_eq!(plan(&fleet(), &observed).desired, 6, "rising is not delayed");
    observed.queue.as_mut().unwrap().visible = 0;
    observed.history.clear();
    assert_eq!(plan(&fleet(), &observed).desired, 0);
}

#[test]
fn the_one_missed_least_goes_first() {
    let old = Instance { revision: "old".to_owned(), ..ready("i-outdated", 900) };
    let instances = vec![ready("i-oldest", 800), ready("i-newest", 100), booting("i-booting", 50), old];
    let order = ["i-outdated", "i-booting", "i-newest", "i-oldest"];
    for keep in 0..4 {
        let observed = Observed { desired: 4, ..observed(keep * 5, instances.clone()) };
        let keep = usize::try_from(keep).unwrap();
        assert_eq!(plan(&fleet(), &observed).drain, order[..4 - keep], "{keep} are kept");
    }
}

#[test]
fn a_busy_worker_is_drained_not_terminated() {
    let plan = plan(&fleet(), &observed(0, vec![ready("i-1", 100)]));
    assert_eq!(plan.drain, ["i-1"]);
    assert!(plan.terminate.is_empty());
}

#[test]
fn time_ends_for_those_that_never_register_or_never_leave() {
    let instances =
        vec![booting("i-slow", 301), booting("i-fine", 299), draining("i-stuck", 121), draining("i-leaving", 119), ready("i-old", 9000)];
    let plan = plan(&fleet(), &observed(15, instances));
    let ended: Vec<_> = plan.terminate.iter().map(|ended| (ended.id.as_str(), ended.reason)).collect();
    assert_eq!(ended, [("i-slow", Reason::BootTimeout), ("i-stuck", Reason::DrainDeadline)]);
    assert_eq!(plan.launch, 1, "the one that never registered is replaced");
}

#[test]
fn draining_workers_count_towards_max() {
    let instances = (0..8).map(|n| draining(&format!("i-{n}"), 10)).collect();
    let plan = plan(&fleet(), &observed(500, instances));
    assert_eq!((plan.desired, plan.launch), (10, 2));
}

#[test]
fn what_leaves_or_has_left_is_no_worker() {
    let gone = [State::ShuttingDown, State::Terminated, State::Stopping, State::Stopped];
    let instances = gone.iter().map(|state| Instance { state: *state, ..ready(&format!("{state:?}"), 100) }).collect();
    let plan = plan(&fleet(), &observed(5, instances));
    assert_eq!((plan.launch, plan.drain.len(), plan.terminate.len()), (1, 0, 0));
}

#[test]
fn a_failed_sample_keeps_the_number() {
    let observed = Observed { queue: None, desired: 2, ..observed(0, vec![ready("i-1", 9), ready("i-2", 9)]) };
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.desired, plan.launch, plan.drain.len(), plan.recommendation), (2, 0, 0, None));
}

#[test]
fn without_a_fresh_inventory_nothing_happens() {
    for age in [None, Some(31)] {
        let mut observed = observed(50, vec![booting("i-1", 9999), draining("i-2", 9999)]);
        match age {
            None => observed.inventory = None,
            Some(seconds) => observed.inventory.as_mut().unwrap().at = ago(seconds),
        }
        let plan = plan(&fleet(), &observed);
        assert_eq!((plan.desired, plan.launch, plan.terminate.len(), plan.drain.len()), (10, 0, 0, 0), "age {age:?}");
    }
}

#[test]
fn a_pinned_number_wins_over_the_queue_and_not_over_the_limits() {
    for (pinned, desired) in [(0, 1), (3, 3), (99, 10)] {
        let fleet = Fleet { min: 1, pinned: Some(pinned), ..fleet() };
        let plan = plan(&fleet, &observed(25, vec![]));
        assert_eq!((plan.desired, plan.recommendation), (desired, None));
    }
}

#[test]
fn after_a_refusal_nothing_is_launched_for_a_while() {
    let mut observed = observed(5, vec![]);
    observed.launch_blocked = Some("EC2 refused.".to_owned());
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.desired, plan.launch), (1, 0));
    assert_eq!(plan.steps.last().unwrap(), "EC2 refused.");
}

#[test]
fn deletion_drains_all_and_waits_until_ec2_says_terminated() {
    let fleet = Fleet { min: 2, deleting: true, ..fleet() };
    let leaving = Instance { state: State::ShuttingDown, ..ready("i-1", 10) };
    let gone = Instance { state: State::Terminated, ..ready("i-1", 10) };
    let drained = plan(&fleet, &observed(50, vec![ready("i-1", 10), booting("i-2", 10)]));
    assert_eq!((drained.desired, drained.launch, drained.drain.len(), drained.gone), (0, 0, 2, false));
    assert!(!plan(&fleet, &observed(50, vec![leaving])).gone);
    let mut observed = observed(50, vec![gone]);
    assert!(plan(&fleet, &observed).gone);
    observed.intents = vec![intent("unanswered", 1, 9, &[])];
    assert!(!plan(&fleet, &observed).gone, "an unanswered launch may still appear");
}

#[test]
fn the_same_arguments_give_the_same_plan() {
    let observed = observed(1, vec![ready("i-b", 10), ready("i-a", 10), ready("i-c", 10)]);
    let mut turned = observed.clone();
    turned.inventory.as_mut().unwrap().instances.reverse();
    assert_eq!(decide(&fleet(), &observed, noon()).drain, decide(&fleet(), &turned, noon()).drain);
}
