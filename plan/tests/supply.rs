//! Where workers come from, played through time: offerings that close and open, the warm pool, deadlines.
#![allow(clippy::unwrap_used)]

mod common;

use common::operator::Answer;
use common::play::Play;
use common::{offering, secs, spot};
use plan::{Offering, Pool, State, Target};

fn pool(max: u32, prepared: u32, idle: i64) -> Pool {
    Pool { max, prepared, idle: secs(idle) }
}

#[test]
fn workers_that_leave_are_kept_and_started_again() {
    let mut play = Play::of(|fleet| fleet.pool = pool(5, 0, 600));
    play.jobs(10).run(60).jobs(0).run(90);
    assert_eq!(play.in_state(State::Stopped), 2);
    play.jobs(15).run(60);
    play.expect(&["0: launch 2 t3.small", "119: drain i-0 i-1", "150: start i-0 i-1", "150: launch 1 t3.small"]);
    assert_eq!((play.ready(), play.world.cloud.launches, play.world.cloud.starts), (3, 3, 2));
}

#[test]
fn the_pool_takes_no_more_than_it_may_and_forgets_what_idles() {
    let mut play = Play::of(|fleet| fleet.pool = pool(2, 0, 300));
    play.jobs(20).run(60).jobs(0).run(90);
    play.expect(&["0: launch 4 t3.small", "119: drain i-0 i-1 i-2 i-3", "127: terminate i-2 PoolFull", "127: terminate i-3 PoolFull"]);
    assert_eq!(play.in_state(State::Stopped), 2);
    play.run(350);
    play.expect(&["420: terminate i-0 PoolIdle", "420: terminate i-1 PoolIdle"]);
    assert_eq!(play.in_state(State::Stopped), 0);
}

#[test]
fn prepared_workers_are_made_before_there_is_work_and_do_not_expire() {
    let mut play = Play::of(|fleet| fleet.pool = pool(3, 2, 60));
    play.run(300);
    play.expect(&["0: launch 2 t3.small", "30: drain i-0 i-1"]);
    assert_eq!(play.in_state(State::Stopped), 2);
    play.jobs(10).run(30);
    play.expect(&["300: start i-0 i-1", "301: launch 2 t3.small"]);
    assert_eq!(play.ready(), 2);
    play.run(100).jobs(0).run(300);
    play.expect(&["331: drain i-2 i-3", "489: drain i-0 i-1", "497: terminate i-2 PoolIdle", "497: terminate i-3 PoolIdle"]);
    assert_eq!(play.in_state(State::Stopped), 2);
}

#[test]
fn a_worker_that_never_was_ready_is_not_kept() {
    let mut play = Play::of(|fleet| (fleet.pool, fleet.pinned) = (pool(3, 0, 600), Some(2)));
    play.run(10);
    play.fleet.pinned = Some(0);
    play.run(60);
    play.expect(&["0: launch 2 t3.small", "10: drain i-0 i-1", "33: terminate i-0 NotReusable", "33: terminate i-1 NotReusable"]);
    assert_eq!(play.in_state(State::Terminated), 2);
}

#[test]
fn spot_workers_are_not_kept() {
    let mut play = Play::of(|fleet| {
        (fleet.pool, fleet.offerings, fleet.on_demand_base) = (pool(5, 0, 600), vec![spot("a"), offering("a")], 1);
    });
    play.jobs(15).run(60).jobs(0).run(90);
    play.expect(&["0: launch 1 a", "0: launch 2 a (spot)", "119: drain i-0 i-1 i-2"]);
    assert_eq!((play.in_state(State::Stopped), play.in_state(State::Terminated)), (1, 2));
}

#[test]
fn a_new_revision_empties_the_pool_and_fills_it_anew() {
    let mut play = Play::of(|fleet| fleet.pool = pool(2, 2, 600));
    play.run(60);
    play.fleet.revision = "newer".to_owned();
    play.run(60);
    play.expect(&[
        "0: launch 2 t3.small",
        "30: drain i-0 i-1",
        "60: launch 2 t3.small",
        "60: terminate i-0 NotReusable",
        "60: terminate i-1 NotReusable",
        "90: drain i-2 i-3",
    ]);
    assert_eq!(play.in_state(State::Stopped), 2);
}

#[test]
fn a_start_whose_answer_is_lost_starts_once() {
    let mut play = Play::of(|fleet| fleet.pool = pool(3, 3, 600));
    play.run(60);
    play.happened();
    play.fleet.pool = pool(3, 0, 600);
    play.weather.answer = Answer::Lost;
    play.jobs(10).run(1);
    play.weather.list = None;
    play.run(20);
    (play.weather.answer, play.weather.list) = (Answer::Fine, Some(0));
    play.run(20);
    play.expect(&["60: start i-0 i-1"]);
    assert_eq!((play.ready(), play.world.cloud.starts, play.world.cloud.launches), (2, 2, 3));
}

#[test]
fn a_deleted_fleet_keeps_no_pool() {
    let mut play = Play::of(|fleet| fleet.pool = pool(3, 2, 600));
    play.jobs(5).run(100);
    play.happened();
    play.fleet.deleting = true;
    play.run(60);
    play.expect(&["100: drain i-2", "100: terminate i-0 Deleting", "100: terminate i-1 Deleting", "108: terminate i-2 Deleting"]);
    assert!(play.plan.as_ref().unwrap().gone);
}

fn no_room(play: &mut Play, offerings: &[Offering]) {
    play.world.cloud.no_room = offerings.iter().cloned().collect();
}

#[test]
fn where_there_is_no_room_the_next_one_is_tried_at_once() {
    let mut play = Play::of(|fleet| fleet.offerings = vec![spot("a"), offering("a")]);
    no_room(&mut play, &[spot("a")]);
    play.jobs(15).run(10);
    play.expect(&["0: launch 3 a (spot)", "1: launch 3 a"]);
    // Closed for 3 minutes; what is wanted then is probed there first.
    play.jobs(20).run(10);
    play.run(170);
    no_room(&mut play, &[]);
    play.jobs(25).run(1).jobs(30).run(1).jobs(50).run(5);
    play.expect(&["10: launch 1 a", "190: launch 1 a (spot)", "191: launch 1 a (spot)", "192: launch 4 a (spot)"]);
}

/// Nothing has room for ten minutes: EC2 is asked a few times a minute, not in a loop.
#[test]
fn a_capacity_storm_does_not_loop() {
    let mut play = Play::of(|fleet| fleet.offerings = vec![spot("a"), offering("a"), offering("b")]);
    no_room(&mut play, &[spot("a"), offering("a"), offering("b")]);
    play.jobs(50).run(4);
    play.expect(&["0: launch 10 a (spot)", "1: launch 10 a", "2: launch 10 b"]);
    assert_eq!(play.steps()[1], "10 more must wait: EC2 has no room in any offering, the first opens at 2026-06-01T12:03:00Z.");
    play.run(600);
    play.expect(&[
        "180: launch 1 a (spot)",
        "181: launch 1 a",
        "182: launch 1 b",
        "360: launch 1 a (spot)",
        "361: launch 1 a",
        "362: launch 1 b",
        "540: launch 1 a (spot)",
        "541: launch 1 a",
        "542: launch 1 b",
    ]);
    no_room(&mut play, &[]);
    play.run(200);
    play.expect(&["720: launch 1 a (spot)", "721: launch 2 a (spot)", "721: launch 1 a", "722: launch 4 a (spot)", "722: launch 2 a"]);
    assert_eq!(play.ready(), 10);
}

#[test]
fn what_ec2_launches_of_a_request_counts_and_the_rest_goes_elsewhere() {
    let mut play = Play::of(|fleet| fleet.offerings = vec![offering("a"), offering("b")]);
    play.world.cloud.at_once = 3;
    play.jobs(25).run(40);
    play.expect(&["0: launch 5 a", "1: launch 2 b"]);
    assert_eq!(play.ready(), 5);
}

/// 100 jobs of a second each within a minute, workers boot in 30 s: 4 of them, and none is ended before it is done.
#[test]
fn a_burst_is_done_within_drain_seconds() {
    let mut play = Play::of(|fleet| fleet.target = Target::Drain(secs(60)));
    play.works = true;
    play.jobs(100).run(62);
    play.expect(&["0: launch 4 t3.small"]);
    assert_eq!((play.world.queue.visible, play.done()), (0, 100));
    play.run(100);
    play.expect(&["95: drain i-0", "107: drain i-1", "111: drain i-2", "113: drain i-3"]);
    assert_eq!(play.in_state(State::Terminated), 4);
}

/// Stopped workers are there sooner: fewer of them are needed.
#[test]
fn a_second_burst_is_done_by_stopped_workers() {
    let mut play = Play::of(|fleet| (fleet.target, fleet.pool) = (Target::Drain(secs(60)), pool(5, 0, 6000)));
    play.works = true;
    play.jobs(100).run(200);
    play.happened();
    play.jobs(100).run(62);
    play.expect(&["200: start i-3 i-2 i-1"]);
    assert_eq!((play.world.queue.visible, play.world.cloud.launches), (0, 4));
}

/// A second burst while the first is being done: those that are ready work on, and only what is missing is launched.
#[test]
fn work_that_comes_meanwhile_is_planned_with() {
    let mut play = Play::of(|fleet| fleet.target = Target::Drain(secs(120)));
    play.works = true;
    play.jobs(100).run(50);
    play.world.queue.visible += 200;
    play.run(72);
    play.expect(&["0: launch 2 t3.small", "50: launch 3 t3.small"]);
    play.run(60);
    assert_eq!(play.world.queue.visible, 0);
}

/// 10 s are less than a boot takes: one worker for each job, as soon as can be, and the decision says so.
#[test]
fn a_deadline_that_boot_exceeds_is_met_as_soon_as_can_be() {
    let mut play = Play::of(|fleet| fleet.target = Target::Drain(secs(10)));
    play.works = true;
    play.jobs(6).run(1);
    assert_eq!(play.plan.as_ref().unwrap().limited_by, Some(plan::LimitedBy::BootTime));
    play.run(40);
    play.expect(&["0: launch 6 t3.small"]);
    assert_eq!(play.world.queue.visible, 0);
}
