//! Roll-outs played through time: a new revision proves itself before anything that works goes.
#![allow(clippy::unwrap_used)]

mod common;

use common::play::Play;
use plan::Update;

fn update(max_surge: u32, max_unavailable: u32) -> Update {
    Update { max_surge, max_unavailable }
}

/// Three workers of the first revision.
fn three(change: impl FnOnce(&mut plan::Fleet)) -> Play {
    let mut play = Play::of(change);
    play.jobs(15).run(60);
    play.happened();
    play
}

/// So many are always ready, and never more live, those that drain included, until all are of the current revision.
fn roll(play: &mut Play, least: u32, most: u32) {
    play.most = 0;
    play.fleet.revision = "newer".to_owned();
    for _ in 0..300 {
        play.run(1);
        assert!(play.ready() >= least, "{} ready at {}", play.ready(), play.seconds());
    }
    assert!(play.most <= most, "{} lived", play.most);
    assert_eq!((play.on("newer"), play.on("new")), (3, 0));
}

#[test]
fn one_more_at_a_time() {
    let mut play = three(|fleet| fleet.update = update(1, 0));
    roll(&mut play, 3, 5);
    play.expect(&[
        "60: launch 1 t3.small",
        "90: drain i-0",
        "91: launch 1 t3.small",
        "121: drain i-1",
        "122: launch 1 t3.small",
        "152: drain i-2",
    ]);
}

#[test]
fn one_less_at_a_time() {
    let mut play = three(|fleet| (fleet.update, fleet.max) = (update(0, 1), 3));
    roll(&mut play, 2, 3);
    play.expect(&[
        "60: drain i-0",
        "65: launch 1 t3.small",
        "95: drain i-1",
        "100: launch 1 t3.small",
        "130: drain i-2",
        "135: launch 1 t3.small",
    ]);
}

#[test]
fn the_first_one_shows_whether_it_works_then_all_the_others_follow() {
    let mut play = three(|fleet| fleet.update = update(3, 3));
    roll(&mut play, 0, 6);
    play.expect(&["60: launch 1 t3.small", "90: launch 2 t3.small", "90: drain i-0 i-1 i-2"]);
}

#[test]
fn one_more_and_one_less() {
    let mut play = three(|fleet| fleet.update = update(1, 1));
    roll(&mut play, 2, 6);
    play.expect(&["60: launch 1 t3.small", "90: drain i-0 i-1", "91: launch 2 t3.small", "121: drain i-2"]);
}

/// At max, the surge is what a roll-out may have beyond it.
#[test]
fn a_full_fleet_rolls_too() {
    let mut play = three(|fleet| (fleet.update, fleet.max) = (update(1, 0), 3));
    roll(&mut play, 3, 4);
    play.expect(&[
        "60: launch 1 t3.small",
        "90: drain i-0",
        "95: launch 1 t3.small",
        "125: drain i-1",
        "130: launch 1 t3.small",
        "160: drain i-2",
    ]);
}

#[test]
fn a_busy_worker_is_replaced_when_it_is_done() {
    let mut play = three(|fleet| fleet.update = update(1, 0));
    play.world.cloud.busy = 50;
    roll(&mut play, 3, 6);
    play.expect(&[
        "60: launch 1 t3.small",
        "90: drain i-0",
        "91: launch 1 t3.small",
        "121: drain i-1",
        "122: launch 1 t3.small",
        "152: drain i-2",
    ]);
}

#[test]
fn a_bad_revision_leaves_the_old_workers_and_says_so() {
    let mut play = three(|_| {});
    play.fleet.revision = "bad".to_owned();
    play.world.cloud.broken.insert("bad".to_owned());
    play.run(640);
    play.expect(&[
        "60: launch 1 t3.small",
        "361: launch 1 t3.small",
        "361: give up i-3",
        "392: terminate i-3 BootTimeout",
        "662: give up i-4",
        "662: alarm RolloutStalled { never_ready: 2 }",
        "693: terminate i-4 BootTimeout",
    ]);
    assert_eq!((play.on("new"), play.on("bad"), play.ready()), (3, 0, 3));
    assert_eq!(play.steps()[1], "2 workers of revision bad in a row were never ready: nothing is replaced by it.");
    // It is tried again, more and more seldom.
    play.run(2000);
    play.expect(&[
        "962: launch 1 t3.small",
        "1263: give up i-5",
        "1263: alarm RolloutStalled { never_ready: 3 }",
        "1294: terminate i-5 BootTimeout",
        "1863: launch 1 t3.small",
        "2164: give up i-6",
        "2164: alarm RolloutStalled { never_ready: 4 }",
        "2195: terminate i-6 BootTimeout",
    ]);
    assert_eq!(play.on("new"), 3);
    // Whoever mends it gets a roll-out at once.
    play.fleet.revision = "mended".to_owned();
    play.run(200);
    assert_eq!((play.on("mended"), play.on("new")), (3, 0));
}

/// What fails for a while, a model that cannot be fetched say, is rolled out when it works again.
#[test]
fn a_revision_that_works_later_is_rolled_out_later() {
    let mut play = three(|_| {});
    play.fleet.revision = "flaky".to_owned();
    play.world.cloud.broken.insert("flaky".to_owned());
    play.run(640);
    play.world.cloud.broken.clear();
    play.happened();
    play.run(400);
    play.expect(&["962: launch 1 t3.small", "992: drain i-0 i-1", "993: launch 2 t3.small", "1023: drain i-2"]);
    assert_eq!((play.on("flaky"), play.on("new")), (3, 0));
}

#[test]
fn without_surge_a_bad_revision_costs_one_worker() {
    let mut play = three(|fleet| fleet.update = update(0, 1));
    play.fleet.revision = "bad".to_owned();
    play.world.cloud.broken.insert("bad".to_owned());
    play.run(640);
    play.expect(&[
        "60: drain i-0",
        "61: launch 1 t3.small",
        "362: launch 1 t3.small",
        "362: give up i-3",
        "393: terminate i-3 BootTimeout",
        "663: give up i-4",
        "663: alarm RolloutStalled { never_ready: 2 }",
        "694: terminate i-4 BootTimeout",
    ]);
    assert_eq!((play.on("new"), play.ready()), (2, 2));
}

#[test]
fn going_back_ends_the_roll_out() {
    let mut play = three(|fleet| fleet.update = update(1, 0));
    play.fleet.revision = "newer".to_owned();
    play.run(20);
    play.fleet.revision = "new".to_owned();
    play.run(60);
    play.expect(&["60: launch 1 t3.small", "80: drain i-3"]);
    assert_eq!((play.on("new"), play.on("newer")), (3, 0));
}

#[test]
fn a_change_while_workers_boot_waits_for_none_of_them() {
    let mut play = Play::of(|fleet| fleet.update = update(1, 1));
    play.jobs(15).run(10);
    play.fleet.revision = "newer".to_owned();
    play.run(200);
    play.expect(&["0: launch 3 t3.small", "10: launch 1 t3.small", "40: drain i-0 i-1", "41: launch 2 t3.small", "71: drain i-2"]);
    assert_eq!((play.on("newer"), play.on("new")), (3, 0));
}

/// Old workers that never become ready take no jobs: they need not be waited for.
#[test]
fn a_mended_revision_does_not_wait_for_broken_workers() {
    let mut play = Play::of(|fleet| fleet.update = update(1, 1));
    play.world.cloud.broken.insert("new".to_owned());
    play.jobs(15).run(30);
    play.fleet.revision = "mended".to_owned();
    play.run(120);
    play.expect(&["0: launch 3 t3.small", "30: launch 1 t3.small", "60: drain i-0 i-1", "61: launch 2 t3.small", "91: drain i-2"]);
    assert_eq!((play.on("mended"), play.ready()), (3, 3));
}

#[test]
fn a_fleet_at_rest_changes_with_its_next_job() {
    let mut play = Play::of(|_| {});
    play.run(10);
    play.fleet.revision = "newer".to_owned();
    play.run(10).jobs(5).run(40);
    play.expect(&["20: launch 1 t3.small"]);
    assert_eq!(play.on("newer"), 1);
}

#[test]
fn a_roll_out_and_less_work_do_not_hinder_each_other() {
    let mut play = three(|fleet| fleet.update = update(1, 0));
    play.fleet.revision = "newer".to_owned();
    play.run(15).jobs(5).run(200);
    play.expect(&[
        "60: launch 1 t3.small",
        "90: drain i-0",
        "91: launch 1 t3.small",
        "121: drain i-1",
        "122: launch 1 t3.small",
        "134: drain i-2 i-3",
        "152: drain i-4",
    ]);
    assert_eq!((play.on("newer"), play.on("new")), (1, 0));
}

#[test]
fn a_roll_out_and_more_work_do_not_hinder_each_other() {
    let mut play = three(|fleet| fleet.update = update(1, 0));
    play.fleet.revision = "newer".to_owned();
    play.run(15).jobs(30).run(200);
    play.expect(&[
        "60: launch 1 t3.small",
        "75: launch 3 t3.small",
        "105: drain i-0",
        "106: launch 1 t3.small",
        "136: drain i-1",
        "137: launch 1 t3.small",
        "167: drain i-2",
    ]);
    assert_eq!((play.on("newer"), play.on("new")), (6, 0));
}
