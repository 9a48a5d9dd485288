//! Fleets played through time: workers come and go with the work, and what goes wrong on the way is made good.
#![allow(clippy::unwrap_used)]

mod common;

use common::operator::Answer;
use common::play::Play;
use common::{rules, secs, spot};
use plan::{Allowance, Fallback, FallbackBehavior, LimitedBy, Policy, Rules, State};

#[test]
fn a_burst_comes_and_goes() {
    let mut play = Play::of(|_| {});
    play.jobs(20).run(90);
    play.expect(&["0: launch 4 t3.small"]);
    assert_eq!((play.ready(), play.steps()), (4, vec!["Backlog 20 (visible 20, in flight 0, delayed 0) at 5 a worker asks for 4."]));
    play.jobs(0).run(80);
    play.expect(&["149: drain i-0 i-1 i-2 i-3"]);
    assert_eq!((play.in_state(State::Terminated), play.most), (4, 4));
}

#[test]
fn a_growing_backlog_launches_what_is_missing() {
    let mut play = Play::of(|_| {});
    play.jobs(1).run(5).jobs(12).run(5).jobs(13).run(5).jobs(500).run(60);
    play.expect(&["0: launch 1 t3.small", "5: launch 2 t3.small", "15: launch 7 t3.small"]);
    assert_eq!(play.plan.as_ref().unwrap().limited_by, Some(LimitedBy::Max));
}

#[test]
fn a_slow_boot_is_waited_for() {
    let mut play = Play::of(|_| {});
    play.world.cloud.boot = (290, 290);
    play.jobs(10).run(300);
    play.expect(&["0: launch 2 t3.small"]);
    assert_eq!(play.ready(), 2);
}

#[test]
fn a_boot_that_never_ends_is_ended() {
    let mut play = Play::of(|_| {});
    play.world.cloud.broken.insert("new".to_owned());
    play.jobs(5).run(1500);
    play.expect(&[
        "0: launch 1 t3.small",
        "301: launch 1 t3.small",
        "301: give up i-0",
        "332: terminate i-0 BootTimeout",
        "602: give up i-1",
        "602: alarm RolloutStalled { never_ready: 2 }",
        "633: terminate i-1 BootTimeout",
        "902: launch 1 t3.small",
        "1203: give up i-2",
        "1203: alarm RolloutStalled { never_ready: 3 }",
        "1234: terminate i-2 BootTimeout",
    ]);
    assert_eq!(play.steps()[1], "3 workers of revision new in a row were never ready: nothing is replaced by it.");
    assert_eq!(play.steps()[2], "1 more must wait: the revision is tried again later, one worker at a time.");
}

#[test]
fn a_busy_worker_has_its_time_to_drain() {
    let mut play = Play::of(|_| {});
    play.world.cloud.busy = 100;
    play.jobs(10).run(100).jobs(0).run(300);
    play.expect(&["0: launch 2 t3.small", "159: drain i-0 i-1"]);
    play.world.cloud.busy = 1000;
    play.jobs(5).run(100).jobs(0).run(300);
    play.expect(&["400: launch 1 t3.small", "559: drain i-2", "680: terminate i-2 DrainDeadline"]);
}

#[test]
fn the_newest_leave_first() {
    let mut play = Play::of(|_| {});
    play.jobs(5).run(100).jobs(10).run(100).jobs(15).run(100).jobs(10).run(100).jobs(5).run(100).jobs(0).run(100);
    play.expect(&[
        "0: launch 1 t3.small",
        "100: launch 1 t3.small",
        "200: launch 1 t3.small",
        "359: drain i-2",
        "459: drain i-1",
        "559: drain i-0",
    ]);
}

/// EC2 bills a minute at every start: who is there may as well wait for more work until it is over.
#[test]
fn nobody_leaves_in_the_first_minute() {
    let mut play = Play::of(|fleet| fleet.scale_down = rules(0));
    play.jobs(15).run(35).jobs(0).run(20);
    play.expect(&["0: launch 3 t3.small"]);
    play.jobs(5).run(20);
    play.expect(&["60: drain i-0 i-1"]);
    assert_eq!(play.ready(), 1);
}

#[test]
fn a_window_keeps_workers_between_bursts() {
    let mut play = Play::of(|fleet| fleet.scale_down = rules(120));
    play.jobs(10).run(100).jobs(0).run(100).jobs(10).run(100).jobs(0).run(150);
    play.expect(&["0: launch 2 t3.small", "419: drain i-0 i-1"]);
}

/// The scale-up window delays the others, and never the first one.
#[test]
fn the_first_worker_is_never_delayed() {
    let mut play = Play::of(|fleet| fleet.scale_up = rules(60));
    play.run(10).jobs(20).run(90);
    play.expect(&["10: launch 1 t3.small", "69: launch 3 t3.small"]);
}

#[test]
fn policies_pace_the_way_up_and_down() {
    let pods = |value, period| vec![Policy { allowance: Allowance::Workers(value), period: secs(period) }];
    let mut play = Play::of(|fleet| {
        fleet.scale_up = Rules { policies: pods(2, 60), ..rules(0) };
        fleet.scale_down = Rules { policies: pods(3, 30), ..rules(0) };
    });
    play.jobs(35).run(200);
    play.expect(&["0: launch 2 t3.small", "60: launch 2 t3.small", "120: launch 2 t3.small", "180: launch 1 t3.small"]);
    assert_eq!(play.plan.as_ref().unwrap().limited_by, None);
    play.jobs(0).run(100);
    play.expect(&["200: drain i-4 i-5 i-2", "210: drain i-3", "230: drain i-0 i-1", "240: drain i-6"]);
}

#[test]
fn min_is_kept_and_told_to_stay() {
    let mut play = Play::of(|fleet| fleet.min = 2);
    play.run(60).jobs(20).run(60).jobs(0).run(100);
    play.expect(&["0: launch 2 t3.small", "30: keep i-0 i-1", "60: launch 2 t3.small", "179: drain i-2 i-3"]);
    assert_eq!(play.ready(), 2);
}

#[test]
fn a_number_set_by_hand_is_followed_at_once() {
    let mut play = Play::of(|fleet| fleet.pinned = Some(3));
    play.jobs(500).run(50);
    play.fleet.pinned = Some(1);
    play.run(50);
    play.fleet.pinned = None;
    play.run(10);
    play.expect(&["0: launch 3 t3.small", "30: keep i-0 i-1 i-2", "50: drain i-0 i-1", "100: launch 9 t3.small"]);
}

#[test]
fn a_pause_holds_the_number_and_its_end_lets_it_go() {
    let mut play = Play::of(|_| {});
    play.jobs(10).run(50);
    play.fleet.pause.paused = true;
    play.jobs(50).run(50).jobs(0).run(100);
    play.expect(&["0: launch 2 t3.small", "50: keep i-0 i-1"]);
    play.fleet.pause.paused = false;
    play.run(50);
    play.expect(&["200: drain i-0 i-1"]);
}

#[test]
fn a_lowered_max_drains_at_once() {
    let mut play = Play::of(|_| {});
    play.jobs(50).run(40);
    play.fleet.max = 4;
    play.run(20);
    play.expect(&["0: launch 10 t3.small", "40: drain i-0 i-1 i-2 i-3 i-4 i-5", "40: alarm Runaway { live: 10, allowed: 5 }"]);
    assert_eq!(play.ready(), 4);
}

#[test]
fn without_samples_the_number_stays_until_the_fallback() {
    let fallback = Fallback { threshold: 20, behavior: FallbackBehavior::CurrentIfHigher, workers: 4 };
    let mut play = Play::of(|fleet| fleet.fallback = Some(fallback));
    play.jobs(10).run(40);
    play.world.sampled = false;
    play.run(60);
    play.expect(&["0: launch 2 t3.small", "40: keep i-0 i-1", "60: launch 2 t3.small", "90: keep i-2 i-3"]);
    play.world.sampled = true;
    play.run(100);
    play.expect(&["100: drain i-0 i-1"]);
}

#[test]
fn without_a_list_nothing_happens_and_then_it_goes_on() {
    let mut play = Play::of(|_| {});
    play.jobs(5).run(5);
    play.weather.list = None;
    play.jobs(15).run(60);
    play.expect(&["0: launch 1 t3.small", "5: launch 2 t3.small"]);
    play.weather.list = Some(0);
    play.run(5);
    play.expect(&[]);
}

#[test]
fn jobs_below_the_activation_wait() {
    let mut play = Play::of(|fleet| fleet.activation = 5);
    play.jobs(5).run(50).jobs(6).run(50).jobs(5).run(100);
    play.expect(&["50: launch 2 t3.small", "159: drain i-0 i-1"]);
}

#[test]
fn a_machine_that_is_taken_away_is_replaced() {
    let mut play = Play::of(|fleet| fleet.offerings = vec![spot("a")]);
    play.jobs(10).run(60);
    play.world.cloud.take_away("i-1");
    play.run(60);
    play.expect(&["0: launch 2 a (spot)", "60: launch 1 a (spot)"]);
    assert_eq!(play.ready(), 2);
}

#[test]
fn a_lost_answer_launches_once() {
    let mut play = Play::of(|_| {});
    play.weather.answer = Answer::Lost;
    play.jobs(15).run(1);
    play.weather.list = None;
    play.run(20);
    play.expect(&["0: launch 3 t3.small"]);
    (play.weather.answer, play.weather.list) = (Answer::Fine, Some(0));
    play.run(200);
    play.expect(&[]);
    assert_eq!((play.ready(), play.world.cloud.launches, play.world.status.intents.len()), (3, 3, 0));
}

/// Lists that are 10 s behind, a decision each second.
#[test]
fn a_lagging_list_doubles_nothing() {
    let mut play = Play::of(|_| {});
    play.weather.list = Some(10);
    play.jobs(15).run(200).jobs(0).run(100);
    play.expect(&["0: launch 3 t3.small", "259: drain i-0 i-1 i-2"]);
    assert_eq!(play.world.cloud.launches, 3);
}

/// The intent is written, and the process ends before EC2 is asked; then after EC2 was asked, and before its answer is written.
#[test]
fn an_operator_that_ends_at_any_point_goes_on() {
    for crash in 0..6 {
        let mut play = Play::of(|_| {});
        play.weather.crash = Some(crash);
        play.jobs(15).run(1);
        play.weather.crash = None;
        play.run(60);
        assert_eq!((play.ready(), play.world.cloud.launches), (3, 3), "ends before step {crash}");
    }
}

#[test]
fn an_operator_that_is_away_for_long_goes_on_where_it_was() {
    let mut play = Play::of(|_| {});
    play.weather.crash = Some(2);
    play.jobs(15).run(1);
    play.pass(3600);
    play.weather.crash = None;
    play.weather.list = Some(10);
    play.run(200);
    play.expect(&["0: launch 3 t3.small"]);
    assert_eq!((play.ready(), play.world.cloud.launches), (3, 3));
}

#[test]
fn a_fleet_that_is_deleted_while_it_boots_leaves_nothing() {
    let mut play = Play::of(|fleet| fleet.min = 1);
    play.jobs(15).run(10);
    play.fleet.deleting = true;
    play.run(40);
    play.expect(&["0: launch 3 t3.small", "10: drain i-0 i-1 i-2"]);
    assert!(play.plan.as_ref().unwrap().gone);
    assert_eq!(play.in_state(State::Terminated), 3);
}

#[test]
fn a_fleet_that_is_deleted_in_the_middle_of_its_work_finishes_it() {
    let mut play = Play::of(|_| {});
    play.world.cloud.busy = 60;
    play.jobs(10).run(50);
    play.fleet.deleting = true;
    play.run(60);
    assert!(!play.plan.as_ref().unwrap().gone);
    play.run(10);
    play.expect(&["0: launch 2 t3.small", "50: drain i-0 i-1"]);
    assert!(play.plan.as_ref().unwrap().gone);
}
