//! What the decision does in the situations that it was written for.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    ago, booting, draining, fleet, intent, launched, noon, observed, offering, outdated, plan, ready, secs, start_intent, started, stopped,
    terminated,
};
use plan::{
    Alarm, Counted, Fallback, FallbackBehavior, Fleet, Instance, LimitedBy, Observed, Pause, Pool, Reason, Recommendation, Rollout, State,
    Waiting, check, decide,
};

#[test]
fn the_first_job_launches_the_first_worker() {
    let plan = plan(&fleet(), &observed(1, vec![]));
    assert_eq!((plan.desired, launched(&plan)), (1, 1));
    assert_eq!(plan.steps, ["Backlog 1 (visible 1, in flight 0, delayed 0) at 5 a worker asks for 1.", "Launching 1 t3.small."]);
}

#[test]
fn workers_follow_the_backlog_up_to_max() {
    for (visible, desired, limit) in [(0, 0, None), (5, 1, None), (6, 2, None), (50, 10, None), (51, 10, Some(LimitedBy::Max))] {
        let plan = plan(&fleet(), &observed(visible, vec![]));
        assert_eq!((plan.desired, launched(&plan), plan.limited_by), (desired, desired, limit), "backlog {visible}");
    }
}

#[test]
fn min_runs_without_work_and_is_told_to_stay() {
    let observed = observed(0, vec![ready("i-1", 100), ready("i-2", 50), booting("i-3", 40)]);
    let plan = plan(&Fleet { min: 4, ..fleet() }, &observed);
    assert_eq!((plan.desired, launched(&plan), plan.limited_by), (4, 1, Some(LimitedBy::Min)));
    assert_eq!(plan.keep, ["i-1", "i-2"], "the one that boots is told when it is ready");
}

#[test]
fn as_many_stay_as_min_says_the_oldest_first() {
    let kept = Instance { kept: true, ..ready("i-2", 200) };
    let observed = observed(20, vec![ready("i-1", 300), kept, ready("i-3", 100), ready("i-4", 50)]);
    assert_eq!(plan(&Fleet { min: 2, ..fleet() }, &observed).keep, ["i-1"], "one stays already");
    assert!(plan(&Fleet { min: 1, ..fleet() }, &observed).keep.is_empty());
    let pinned = plan(&Fleet { pinned: Some(4), ..fleet() }, &observed);
    assert_eq!(pinned.keep, ["i-1", "i-3", "i-4"], "who is asked for by hand stays, too");
}

#[test]
fn a_backlog_that_activates_nothing_asks_for_nothing() {
    let fleet = Fleet { activation: 10, ..fleet() };
    for (visible, desired) in [(10, 0), (11, 3)] {
        assert_eq!(plan(&fleet, &observed(visible, vec![])).desired, desired, "backlog {visible}");
    }
    let sentence = "Backlog 10 (visible 10, in flight 0, delayed 0), not more than activationMessages 10 asks for 0.";
    assert_eq!(plan(&fleet, &observed(10, vec![])).steps, [sentence]);
}

/// The queue's counters lag; who waits at a gateway is known at once.
#[test]
fn those_who_wait_at_the_gateway_count() {
    let depth = plan::QueueDepth { visible: 0, in_flight: 6, delayed: 0 };
    let waiting = Waiting { images: 11, oldest: None };
    let observed = Observed { queue: Some(depth), waiting, ..observed(0, vec![]) };
    assert_eq!(plan(&fleet(), &observed).desired, 3, "11 wait, 6 of them for what workers hold");
    let visible_only = Fleet { counted: Counted { in_flight: false, delayed: false }, ..fleet() };
    assert_eq!(plan(&visible_only, &observed).desired, 1, "5 of them for what nobody holds");
}

#[test]
fn what_is_on_its_way_is_not_launched_again() {
    // 20 jobs want 4: one boots, one was answered and is not listed yet, one was asked for without an answer.
    let mut observed = observed(20, vec![booting("i-1", 20)]);
    observed.intents = vec![intent("answered", 1, 3, &["i-2"]), intent("unanswered", 1, 2, &[])];
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.desired, launched(&plan)), (4, 1));
    assert_eq!(plan.pursue, ["unanswered"]);
    assert_eq!((plan.census.booting, plan.census.coming), (1, 2));
}

/// EC2's answer was lost, and its list is quicker than our next question: the same instances must not count twice.
#[test]
fn listed_instances_of_an_unanswered_intent_count_once() {
    let launched_one = |id: &str| Instance { token: "lost".to_owned(), ..booting(id, 5) };
    for (listed, coming) in [(vec![], 2), (vec![launched_one("i-1")], 1), (vec![launched_one("i-1"), launched_one("i-2")], 0)] {
        let mut observed = observed(10, listed);
        observed.intents = vec![intent("lost", 2, 6, &[])];
        let plan = plan(&fleet(), &observed);
        assert_eq!((plan.census.coming, plan.census.capacity()), (coming, 2));
        assert_eq!((launched(&plan), plan.drain.len()), (0, 0));
    }
}

/// EC2's list shows a started worker as it was: stopped, on its way there, or draining.
#[test]
fn a_start_that_is_not_listed_yet_counts() {
    let leaving = Instance { state: State::Stopping, ..stopped("i-1", 50) };
    for before in [stopped("i-1", 50), leaving, Instance { stopped_since: ago(50), ..draining("i-1", 50) }] {
        for answered in [false, true] {
            let mut observed = observed(5, vec![before.clone()]);
            observed.intents = vec![start_intent("start", 3, answered, &["i-1"])];
            let plan = plan(&Fleet { pool: Pool { max: 2, prepared: 0, idle: secs(1) }, ..fleet() }, &observed);
            assert_eq!(
                (plan.census.coming, launched(&plan), started(&plan).len(), plan.terminate.len()),
                (1, 0, 0, 0),
                "{:?}",
                before.state
            );
        }
    }
}

/// It was started, has worked, and was told to drain after that: it does not come any more.
#[test]
fn a_worker_that_has_stopped_again_is_not_coming() {
    let again = Instance { launched_at: ago(100), ..stopped("i-1", 10) };
    let mut observed = observed(5, vec![again]);
    observed.intents = vec![start_intent("start", 100, true, &["i-1"])];
    let plan = plan(&Fleet { pool: Pool { max: 2, prepared: 0, idle: secs(60) }, ..fleet() }, &observed);
    assert_eq!((plan.census.coming, started(&plan)), (0, vec!["i-1"]));
}

#[test]
fn an_intent_is_kept_until_it_is_listed_and_old() {
    let listed = vec![ready("i-1", 500), stopped("i-3", 400)];
    let late = plan::Intent { asked_at: ago(119), ..intent("asked again of late", 1, 9999, &["i-1"]) };
    let table = [
        (intent("fresh and listed", 1, 119, &["i-1"]), false),
        (intent("old and listed", 1, 121, &["i-1"]), true),
        (late, false),
        (intent("old and unlisted", 1, 121, &["i-2"]), false),
        (intent("very old and unlisted", 1, 901, &["i-2"]), true),
        (intent("very old and unanswered", 1, 901, &[]), false),
        (start_intent("started, and listed so", 121, true, &["i-1"]), true),
        (start_intent("started, and not listed so", 121, true, &["i-3"]), false),
        (start_intent("started long ago", 901, true, &["i-3"]), true),
    ];
    for (intent, settled) in table {
        let mut observed = observed(5, listed.clone());
        observed.intents = vec![intent.clone()];
        assert_eq!(plan(&fleet(), &observed).settle.contains(&intent.token), settled, "{}", intent.token);
    }
}

/// An operator comes back after a long time and asks EC2 again: what it answers now counts, however old the intent is.
#[test]
fn what_ec2_answered_of_late_counts() {
    let mut observed = observed(5, vec![]);
    observed.intents = vec![plan::Intent { asked_at: ago(2), ..intent("old", 1, 9999, &["i-1"]) }];
    assert_eq!(launched(&plan(&fleet(), &observed)), 0);
}

#[test]
fn the_window_delays_falling_and_never_rising() {
    let mut observed = observed(5, vec![ready("i-1", 100), ready("i-2", 100), ready("i-3", 100)]);
    observed.desired = 3;
    observed.history = vec![Recommendation { at: ago(59), workers: 2 }, Recommendation { at: ago(61), workers: 9 }];
    let kept = plan(&fleet(), &observed);
    assert_eq!((kept.desired, kept.drain.len()), (2, 1), "2 were asked for within the window");
    assert_eq!(kept.steps[1], "The scale-down window keeps 2: as many as 2 were asked for in the last 60 s.");
    observed.queue.as_mut().unwrap().visible = 30;
    assert_eq!(plan(&fleet(), &observed).desired, 6, "rising is not delayed");
    observed.queue.as_mut().unwrap().visible = 0;
    observed.history.clear();
    assert_eq!(plan(&fleet(), &observed).desired, 0);
}

#[test]
fn the_one_missed_least_goes_first() {
    let instances = vec![ready("i-oldest", 800), ready("i-newest", 100), booting("i-booting", 70)];
    let order = ["i-booting", "i-newest", "i-oldest"];
    for keep in 0..3 {
        let observed = Observed { desired: 3, ..observed(keep * 5, instances.clone()) };
        let keep = usize::try_from(keep).unwrap();
        assert_eq!(plan(&fleet(), &observed).drain, order[..3 - keep], "{keep} are kept");
    }
    let kept = Instance { kept: true, ..ready("i-told", 50) };
    let observed = Observed { desired: 2, ..observed(5, vec![Instance { launched_at: ago(900), ..ready("i-old", 0) }, kept]) };
    assert_eq!(plan(&Fleet { pinned: Some(1), ..fleet() }, &observed).drain, ["i-old"], "who was told to stay goes last");
}

/// EC2 bills a minute at every start.
#[test]
fn nobody_goes_in_the_first_paid_minute() {
    for (age, drained) in [(59, 0), (60, 1)] {
        for worker in [ready("i", age), booting("i", age)] {
            let observed = Observed { desired: 1, ..observed(0, vec![worker]) };
            assert_eq!(plan(&fleet(), &observed).drain.len(), drained, "{age} s old");
        }
    }
    let young = || vec![ready("i-1", 10), ready("i-2", 10)];
    let by_hand = plan(&Fleet { pinned: Some(1), ..fleet() }, &observed(0, young()));
    assert_eq!(by_hand.drain.len(), 1, "who lowers the number by hand means it");
    let too_many = plan(&Fleet { max: 1, ..fleet() }, &observed(9, young()));
    assert_eq!(too_many.drain.len(), 1, "max is what a fleet may cost");
}

/// A ready worker goes only while enough others are ready: one that boots, or is not even listed, is no match for it.
#[test]
fn those_that_boot_do_not_take_the_place_of_the_ready() {
    let observed_with = |instances| Observed { desired: 2, ..observed(5, instances) };
    let young = plan(&fleet(), &observed_with(vec![ready("i-ready", 500), booting("i-booting", 30)]));
    assert!(young.drain.is_empty(), "the one that boots is paid for, and the other one works");
    let coming = Observed { intents: vec![intent("t", 1, 2, &["i-new"])], ..observed_with(vec![ready("i-ready", 500)]) };
    assert!(plan(&fleet(), &coming).drain.is_empty());
}

#[test]
fn a_busy_worker_is_drained_not_terminated() {
    let plan = plan(&fleet(), &observed(0, vec![ready("i-1", 100)]));
    assert_eq!((plan.drain, plan.terminate), (vec!["i-1".to_owned()], vec![]));
}

#[test]
fn time_ends_for_those_that_never_leave() {
    let instances = vec![draining("i-stuck", 121), draining("i-leaving", 119), ready("i-old", 9000)];
    let plan = plan(&fleet(), &observed(5, instances));
    assert_eq!(terminated(&plan), [("i-stuck", Reason::DrainDeadline)]);
}

/// EC2's lists lag: it may have registered, and be at work.
#[test]
fn who_is_late_to_register_is_told_to_leave_before_it_is_ended() {
    let plan = plan(&fleet(), &observed(15, vec![booting("i-slow", 301), booting("i-fine", 299), ready("i-old", 9000)]));
    assert_eq!((&plan.give_up[..], &plan.drain[..], &plan.terminate[..]), (&["i-slow".to_owned()][..], &[][..], &[][..]));
    assert_eq!(launched(&plan), 1, "it is replaced at once");
    assert!(
        plan.steps.contains(&"i-slow is told to leave: it did not register within workers.bootTimeoutSeconds.".to_owned()),
        "{:?}",
        plan.steps
    );
}

#[test]
fn who_is_late_and_told_to_leave_is_ended_unless_it_has_registered() {
    let told = |ago_seconds: i64, ready: bool| Instance { ready, boots_since: ago(340), ..draining("i-late", ago_seconds) };
    let ended = |instance: Instance| plan(&fleet(), &observed(0, vec![instance])).terminate.first().map(|ended| ended.reason);
    assert_eq!(ended(told(29, false)), None);
    assert_eq!(ended(told(31, false)), Some(Reason::BootTimeout));
    assert_eq!(ended(told(119, true)), None, "it may finish what it has");
    assert_eq!(ended(told(121, true)), Some(Reason::DrainDeadline));
}

#[test]
fn a_worker_that_was_started_again_has_its_time_to_register_again() {
    let restarted = |ago_seconds: i64| Instance { boots_since: ago(ago_seconds), ..booting("i-1", 9000) };
    let given_up_after = |seconds: i64| plan(&fleet(), &observed(5, vec![restarted(seconds)])).give_up.len();
    assert_eq!([299, 301].map(given_up_after), [0, 1]);
}

/// A worker that registered after EC2 was asked must not be terminated for what an old list shows.
#[test]
fn an_old_list_gives_up_nobody() {
    let mut observed = observed(10, vec![booting("i-slow", 310), draining("i-busy", 130)]);
    observed.inventory.as_mut().unwrap().at = ago(20);
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.give_up, plan.terminate), (vec![], vec![]));
}

#[test]
fn draining_workers_count_towards_max() {
    let instances = (0..8).map(|n| draining(&format!("i-{n}"), 10)).collect();
    let plan = plan(&fleet(), &observed(500, instances));
    assert_eq!((plan.desired, launched(&plan)), (10, 2));
    assert_eq!(plan.steps.last().unwrap(), "8 more must wait: with those that drain, 8 instances live, and workers.max is 10.");
}

#[test]
fn what_leaves_or_has_left_is_no_worker() {
    let gone = [State::ShuttingDown, State::Terminated, State::Stopping];
    let instances = gone.iter().map(|state| Instance { state: *state, ..ready(&format!("{state:?}"), 100) }).collect();
    let plan = plan(&fleet(), &observed(5, instances));
    assert_eq!((launched(&plan), plan.drain.len(), plan.terminate.len()), (1, 0, 0));
}

#[test]
fn failed_samples_keep_the_number_until_there_are_too_many() {
    use FallbackBehavior::{Current, CurrentIfHigher, CurrentIfLower, Static};
    let table = [
        (None, 99, 2),
        (Some((Static, 5)), 3, 2),
        (Some((Static, 5)), 4, 5),
        (Some((Current, 5)), 4, 2),
        (Some((CurrentIfHigher, 5)), 4, 5),
        (Some((CurrentIfHigher, 1)), 4, 2),
        (Some((CurrentIfLower, 5)), 4, 2),
        (Some((CurrentIfLower, 1)), 4, 1),
        (Some((Static, 50)), 4, 10),
    ];
    for (fallback, failed_samples, desired) in table {
        let fleet = Fleet { fallback: fallback.map(|(behavior, workers)| Fallback { threshold: 3, behavior, workers }), ..fleet() };
        let observed = Observed { queue: None, failed_samples, desired: 2, ..observed(0, vec![ready("i-1", 90), ready("i-2", 90)]) };
        let plan = plan(&fleet, &observed);
        assert_eq!((plan.desired, plan.recommendation), (desired, None), "{fallback:?} after {failed_samples}");
    }
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
        assert_eq!((plan.desired, launched(&plan), plan.terminate.len(), plan.drain.len()), (10, 0, 0, 0), "age {age:?}");
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

/// As KEDA's annotations: `paused` keeps the number, `paused-replicas` sets it, the others forbid one direction each.
#[test]
fn pauses_hold_the_number() {
    let pause = Pause::default();
    let table = [
        ("rises", pause, 4, 30, 6, false),
        ("falls", pause, 4, 5, 1, false),
        ("paused, would rise", Pause { paused: true, ..pause }, 4, 30, 4, true),
        ("paused, would fall", Pause { paused: true, ..pause }, 4, 5, 4, true),
        ("paused at a number", Pause { workers: Some(7), paused: true, ..pause }, 4, 5, 7, true),
        ("paused at 0", Pause { workers: Some(0), ..pause }, 4, 30, 0, true),
        ("paused above max", Pause { workers: Some(70), ..pause }, 4, 5, 10, true),
        ("no scale-in, would fall", Pause { scale_in: true, ..pause }, 4, 5, 4, true),
        ("no scale-in, would rise", Pause { scale_in: true, ..pause }, 4, 30, 6, false),
        ("no scale-out, would rise", Pause { scale_out: true, ..pause }, 4, 30, 4, true),
        ("no scale-out, would fall", Pause { scale_out: true, ..pause }, 4, 5, 1, false),
        ("neither", Pause { scale_in: true, scale_out: true, ..pause }, 4, 5, 4, true),
        ("no scale-in, but max was lowered", Pause { scale_in: true, ..pause }, 14, 5, 10, true),
    ];
    for (name, pause, before, visible, desired, held) in table {
        let plan = plan(&Fleet { pause, ..fleet() }, &Observed { desired: before, ..observed(visible, vec![]) });
        assert_eq!((plan.desired, plan.limited_by == Some(LimitedBy::Pause)), (desired, held), "{name}: {:?}", plan.steps);
    }
}

#[test]
fn after_a_refusal_nothing_is_launched_for_a_while() {
    let mut observed = observed(5, vec![]);
    observed.launch_blocked = Some("EC2 refused.".to_owned());
    let plan = plan(&fleet(), &observed);
    assert_eq!((plan.desired, launched(&plan)), (1, 0));
    assert_eq!(plan.steps.last().unwrap(), "EC2 refused.");
}

#[test]
fn deletion_drains_all_and_waits_until_ec2_says_terminated() {
    let fleet = Fleet { min: 2, deleting: true, ..fleet() };
    let leaving = Instance { state: State::ShuttingDown, ..ready("i-1", 10) };
    let gone = Instance { state: State::Terminated, ..ready("i-1", 10) };
    let drained = plan(&fleet, &observed(50, vec![ready("i-1", 10), booting("i-2", 10), outdated(booting("i-3", 10)), stopped("i-4", 9)]));
    assert_eq!((drained.desired, launched(&drained), drained.drain.len(), drained.gone), (0, 0, 3, false));
    assert_eq!(terminated(&drained), [("i-4", Reason::Deleting)]);
    assert!(!plan(&fleet, &observed(50, vec![leaving])).gone);
    let mut observed = observed(50, vec![gone]);
    assert!(plan(&fleet, &observed).gone);
    observed.intents = vec![intent("unanswered", 1, 9, &[])];
    assert!(!plan(&fleet, &observed).gone, "an unanswered launch may still appear");
}

#[test]
fn more_than_may_live_stop_all_launches() {
    let instances = |n: i64| (0..n).map(|n| Instance { draining_since: None, ..booting(&format!("i-{n}"), 10) }).collect::<Vec<_>>();
    let coming = |extra: u32| Observed { intents: vec![intent("unknown", extra, 5, &[])], ..observed(500, instances(10)) };
    let fine = plan(&fleet(), &coming(1));
    assert_eq!((fine.alarm, fine.drain.len()), (None, 1));
    // What is not listed cannot be drained yet; ten are wanted, and ten more live.
    let many = Observed { desired: 10, ..Observed { intents: vec![intent("unknown", 12, 5, &[])], ..observed(500, vec![]) } };
    let runaway = plan(&fleet(), &many);
    assert_eq!((runaway.alarm, launched(&runaway)), (Some(Alarm::Runaway { live: 12, allowed: 11 }), 0));
}

#[test]
fn a_bad_revision_is_tried_again_after_a_growing_pause() {
    let table = [(1, 0, 3), (2, 299, 0), (2, 300, 1), (3, 599, 0), (3, 600, 1), (9, 4799, 0), (9, 4800, 1)];
    for (never_ready, since, expected) in table {
        let rollout = Rollout { proven: false, never_ready, failed_at: Some(ago(since)) };
        let plan = plan(&fleet(), &Observed { rollout, ..observed(15, vec![]) });
        assert_eq!(launched(&plan), expected, "{never_ready} failed, the last one {since} s ago");
        assert_eq!(plan.alarm.is_some(), never_ready >= 2);
    }
}

#[test]
fn the_same_arguments_give_the_same_plan() {
    let observed = observed(1, vec![ready("i-b", 10), ready("i-a", 10), ready("i-c", 10)]);
    let mut turned = observed.clone();
    turned.inventory.as_mut().unwrap().instances.reverse();
    assert_eq!(decide(&fleet(), &observed, noon()), decide(&fleet(), &turned, noon()));
}

/// `check` is no rubber stamp.
#[test]
fn a_plan_that_breaks_its_promises_is_found_out() {
    let observed = observed(5, vec![ready("i-1", 100), stopped("i-2", 10)]);
    let good = plan(&fleet(), &observed);
    let broken = |change: fn(&mut plan::Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        let promises: Vec<String> = check(&fleet(), &observed, &plan, noon()).into_iter().map(|violation| violation.0).collect();
        assert!(!promises.is_empty());
        promises.join("; ")
    };
    let many = broken(|plan| plan.launch = vec![plan::Launch { offering: offering("t3.small"), count: 20 }]);
    assert!(many.contains("above max") && many.contains("no more are launched than are wanted"), "{many}");
    assert!(broken(|plan| plan.launch = vec![plan::Launch { offering: offering("m5.large"), count: 1 }]).contains("offerings"));
    assert!(broken(|plan| plan.drain = vec!["i-1".to_owned()]).contains("as many stay ready as are wanted"));
    assert!(broken(|plan| plan.drain = vec!["i-2".to_owned()]).contains("only active"));
    let killed = broken(|plan| plan.terminate = vec![plan::Termination { id: "i-1".to_owned(), reason: Reason::BootTimeout }]);
    assert!(killed.contains("never terminated"), "{killed}");
    assert!(broken(|plan| plan.settle = vec!["unknown".to_owned()]).contains("forgotten"));
    assert!(broken(|plan| plan.desired = 11).contains("at most max"));
    assert!(broken(|plan| plan.gone = true).contains("gone"));
}
