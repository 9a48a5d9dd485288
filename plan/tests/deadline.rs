//! `drainSeconds`: as few workers as do each job in time, and what happens when none can.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;

use common::{ago, booting, fleet, inputs, noon, observed, ready, secs, start_intent, stopped};
use plan::desired::{Deadline, for_deadline};
use plan::{Fleet, Group, Inputs, Instance, Learned, LimitedBy, Observed, Target, Waiting, desired};
use proptest::prelude::*;

fn group(workers: u32, ready_in: i64, jobs_per_second: f64) -> Group {
    Group { workers, ready_in: secs(ready_in), jobs_per_second }
}

/// How many of at most 100 workers do `backlog` jobs within `within` seconds.
fn number(inputs: &Inputs, backlog: u64, within: i64) -> (u32, bool) {
    let Deadline { workers, met, .. } = for_deadline(inputs, backlog, secs(within), u64::MAX, 100);
    (workers, met)
}

/// One burst of n jobs of s seconds each, D to do them, B to boot: k* = ⌈n·s/(D − B)⌉.
#[test]
fn one_burst_takes_k_star() {
    for (jobs, service, within, boot) in
        [(100, 1.0, 60, 30), (100, 1.0, 120, 15), (300, 0.5, 60, 15), (20, 10.0, 210, 30), (7, 1.0, 31, 30), (1, 1.0, 60, 30)]
    {
        let inputs = Inputs { boot_cold: secs(boot), boot_warm: secs(boot), jobs_per_second: 1.0 / service, ..inputs() };
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let k = (jobs as f64 * service / (within - boot) as f64).ceil() as u32;
        assert_eq!(number(&inputs, jobs, within), (k, true), "{jobs} jobs of {service} s in {within} s, {boot} s to boot");
    }
}

#[test]
fn time_that_has_passed_is_missing() {
    for (age, workers) in [(0, 4), (10, 5), (20, 10), (29, 100)] {
        let inputs = Inputs { oldest_age: Some(secs(age)), ..inputs() };
        assert_eq!(number(&inputs, 100, 60), (workers, true), "the oldest waits for {age} s");
    }
}

#[test]
fn workers_that_are_there_come_first_and_work_while_others_boot() {
    let table = [
        ("3 ready do 180 jobs in a minute", vec![group(3, 0, 1.0)], 180, 3),
        ("2 of them do 120", vec![group(3, 0, 1.0)], 120, 2),
        ("1 more job takes a new one", vec![group(3, 0, 1.0)], 181, 4),
        ("what boots already counts from when it is ready", vec![group(1, 0, 1.0), group(2, 10, 1.0)], 160, 3),
        ("a slow worker is slow", vec![group(3, 0, 0.5)], 91, 4),
        ("a fast one is fast", vec![group(1, 0, 5.0)], 300, 1),
    ];
    for (name, workers, jobs, expected) in table {
        assert_eq!(number(&Inputs { workers, ..inputs() }, jobs, 60), (expected, true), "{name}");
    }
}

/// Those that arrive while a new worker would boot, 30 s, must be done within a minute after it.
#[test]
fn those_that_arrive_are_seen_coming() {
    for (arrivals, workers) in [(0.0, 1), (1.0, 1), (2.5, 2), (7.0, 4)] {
        let inputs = Inputs { arrivals_per_second: arrivals, ..inputs() };
        assert_eq!(number(&inputs, 10, 60), (workers, true), "{arrivals} jobs/s");
    }
}

/// Jobs of a burst are as old as the oldest, those of a stream half as old in the mean.
#[test]
fn jobs_of_a_stream_have_more_time_left() {
    let aged = Inputs { oldest_age: Some(secs(40)), workers: vec![group(9, 0, 1.0)], ..inputs() };
    assert_eq!(number(&aged, 80, 60), (4, true), "a burst 40 s ago: 20 s are left");
    let stream = Inputs { arrivals_per_second: 2.0, ..aged };
    assert_eq!(number(&stream, 80, 60), (2, true), "40 s of a stream: 40 s are left");
}

/// Who goes and is needed again within a minute costs more than who stays.
#[test]
fn fewer_are_enough_only_if_they_are_for_a_minute() {
    let three = Inputs { workers: vec![group(3, 0, 1.0)], before: 3, arrivals_per_second: 2.5, ..inputs() };
    // Two would have 2 s of work after the minute, and 30 s are half of what jobs may take; with 60 jobs more they would not.
    assert_eq!(number(&three, 5, 60), (2, true));
    assert_eq!(number(&three, 60, 60), (3, true));
    let sentence = for_deadline(&three, 60, secs(60), u64::MAX, 100).sentence;
    assert!(sentence.ends_with("asks for 2; 3 are kept, fewer would soon be too few."), "{sentence}");
}

/// Those that wait hold places in the gateways: a stream that filled them would have others refused.
#[test]
fn a_stream_waits_only_as_far_as_gateways_have_places() {
    let stream = Inputs { arrivals_per_second: 10.0, workers: vec![group(20, 0, 1.0)], before: 10, oldest_age: Some(secs(30)), ..inputs() };
    let workers = |places| for_deadline(&stream, 300, secs(120), places, 100).workers;
    assert_eq!([u64::MAX, 2400, 1200, 600].map(workers), [8, 8, 8, 10]);
    let told = |places| for_deadline(&stream, 300, secs(120), places, 100).sentence;
    assert!(told(600).contains("drainSeconds 120 s, and 54 s until its stream fills the gateways' 600 places;"), "{}", told(600));
    assert!(!told(2400).contains("places"), "{}", told(2400));
}

/// A stream of `arrivals` jobs a second for an hour: the longest that a job waited, and the mean number of workers of the last half
/// hour. Workers do a job a second and boot for `boot` seconds; who is too many leaves at once.
fn hour_of(arrivals: f64, boot: i64, within: i64) -> (f64, f64) {
    let (mut waiting, mut booting, mut ready, mut before) = (VecDeque::<(i64, f64)>::new(), Vec::<i64>::new(), 0_u32, 0_u32);
    let (mut longest, mut workers) = (0_i64, 0.0);
    for second in 0..3600 {
        waiting.push_back((second, arrivals));
        ready += u32::try_from(booting.extract_if(.., |at| *at <= second).count()).unwrap();
        let mut done = f64::from(ready);
        while let Some((since, jobs)) = waiting.front_mut().filter(|_| done > 0.0) {
            longest = longest.max(second - *since);
            let some = jobs.min(done);
            (*jobs, done) = (*jobs - some, done - some);
            if *jobs <= 0.0 {
                waiting.pop_front();
            }
        }
        let there = booting.iter().map(|at| group(1, at - second, 1.0));
        let inputs = Inputs {
            workers: [group(ready, 0, 1.0)].into_iter().filter(|group| group.workers > 0).chain(there).collect(),
            oldest_age: waiting.front().map(|(since, _)| secs(second - since)),
            arrivals_per_second: arrivals,
            before,
            boot_cold: secs(boot),
            ..inputs()
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let backlog = waiting.iter().map(|(_, jobs)| jobs).sum::<f64>() as u64;
        (before, _) = number(&inputs, backlog, within);
        let total = ready + u32::try_from(booting.len()).unwrap();
        booting.extend(std::iter::repeat_n(second + boot, before.saturating_sub(total) as usize));
        ready -= total.saturating_sub(before).min(ready);
        workers += if second >= 1800 { f64::from(before) / 1800.0 } else { 0.0 };
    }
    #[allow(clippy::cast_precision_loss)]
    (longest as f64, workers)
}

/// Nobody can do with fewer workers than jobs arrive, each doing one a second.
#[test]
fn a_stream_is_done_in_time_by_hardly_more_workers_than_it_takes() {
    for (arrivals, boot, within) in
        [(0.5, 15, 60), (1.5, 15, 60), (3.3, 15, 60), (3.3, 30, 120), (0.8, 30, 120), (6.1, 30, 120), (2.5, 30, 300), (9.7, 60, 300)]
    {
        let (longest, workers) = hour_of(arrivals, boot, within);
        assert!(longest <= within as f64, "{arrivals} jobs/s within {within} s: one waited for {longest} s");
        assert!(workers <= 1.1 * arrivals.max(1.0), "{arrivals} jobs/s within {within} s: {workers:.2} workers");
    }
}

/// Stopped workers are ready after 20 s, new ones after 30 s.
#[test]
fn stopped_workers_are_counted_with_their_own_boot_time() {
    for (startable, jobs, workers) in [(0, 40, 2), (2, 40, 1), (2, 80, 2), (2, 110, 3), (0, 110, 4)] {
        let inputs = Inputs { startable, ..inputs() };
        assert_eq!(number(&inputs, jobs, 60), (workers, true), "{startable} stopped, {jobs} jobs");
    }
    // Only stopped workers come in time.
    assert_eq!(number(&Inputs { startable: 5, ..inputs() }, 10, 25), (2, true));
    // Where starting takes longer than launching, nobody counts on it.
    let slow = Inputs { startable: 5, boot_warm: secs(50), ..inputs() };
    assert_eq!(number(&slow, 60, 60), (2, true));
}

/// Nobody is launched who would be ready only after the ready ones are done.
#[test]
fn who_comes_too_late_is_not_launched() {
    let three = Inputs { workers: vec![group(3, 0, 1.0)], ..inputs() };
    // 20 s are left, and 3 do 60 jobs in them; 90 jobs take them 30 s, which is when a new one is ready.
    for (jobs, expected) in [(60, (3, true)), (61, (3, false)), (90, (3, false))] {
        assert_eq!(number(&three, jobs, 20), expected, "{jobs} jobs");
    }
    // Then 30 of 120 jobs are left for it and others: each further one is of use while it finds a job.
    let (workers, met) = number(&three, 120, 20);
    assert!(!met && (4..=33).contains(&workers), "{workers}");
}

#[test]
fn what_boot_alone_exceeds_is_done_as_soon_as_can_be() {
    for (jobs, workers) in [(1, 1), (5, 5), (1000, 100)] {
        assert_eq!(number(&inputs(), jobs, 10), (workers, false), "{jobs} jobs: one worker each");
    }
    let sentence = for_deadline(&inputs(), 5, secs(10), u64::MAX, 100).sentence;
    assert_eq!(
        sentence,
        "has 10 s left of drainSeconds 10 s, which cannot be met at 1.0 jobs/s a worker and 30 s to boot. Done soonest with 5, in about 31 s."
    );
}

/// Seconds by which a stream is late are not made up for by workers that boot as long; those that it takes are launched, and nobody leaves.
#[test]
fn a_stream_that_is_late_is_let_catch_up() {
    let late = Inputs { boot_cold: secs(45), oldest_age: Some(secs(40)), arrivals_per_second: 2.0, ..inputs() };
    let stream = |workers, before| Inputs { workers: vec![group(workers, 0, 1.0)], before, ..late.clone() };
    assert_eq!(number(&stream(2, 2), 85, 60), (2, false), "5 s late, and done before a new one were ready");
    assert_eq!(number(&stream(1, 1), 85, 60), (3, false), "one cannot keep up with two a second");
    assert_eq!(number(&stream(2, 9), 85, 60), (9, false), "they find jobs, so they stay");
    let ends = |inputs: &Inputs, with: &str| for_deadline(inputs, 85, secs(60), u64::MAX, 100).sentence.ends_with(with);
    assert!(ends(&stream(1, 1), " 45 s to boot. What arrives until a new one is ready takes 3."));
    assert!(ends(&stream(2, 9), " 45 s to boot. Nobody leaves while jobs are late: 9."));
    // A burst on top of it is done as soon as it can be.
    let (workers, met) = number(&stream(2, 2), 385, 60);
    assert!(!met && workers > 90, "{workers}");
}

/// A job is not done by two: more workers than jobs help nobody.
#[test]
fn there_are_never_more_workers_than_jobs() {
    let slow = Inputs { jobs_per_second: 0.02, ..inputs() };
    assert_eq!(number(&slow, 3, 60), (3, false), "a job takes 50 s, and 30 s are left for it");
    let late = Inputs { workers: vec![group(5, 0, 1.0)], oldest_age: Some(secs(99)), ..inputs() };
    assert_eq!(number(&late, 2, 60), (2, false), "the others have nothing to do");
}

fn drains(within: i64) -> Fleet {
    Fleet { target: Target::Drain(secs(within)), ..fleet() }
}

#[test]
fn the_decision_says_what_it_counted_with() {
    let fleet = drains(60);
    let observed = Observed { waiting: Waiting { images: 100, oldest: Some(ago(10)) }, ..observed(80, vec![]) };
    let decision = desired(&fleet, &Inputs::of(&fleet, &observed, noon()));
    let sentence = "Backlog 100 (visible 80, in flight 0, delayed 0; 100 wait at the gateway) has 50 s left of drainSeconds 60 s; at 1.0 jobs/s a worker \
                    (assumed, none was measured yet), 30 s to boot and 0.0 jobs/s arriving asks for 5.";
    assert_eq!((decision.workers, decision.steps), (5, vec![sentence.to_owned()]));
}

#[test]
fn a_deadline_is_limited_by_max_or_by_boot_time() {
    let asks = |within, visible| {
        let (fleet, observed) = (drains(within), observed(visible, vec![]));
        let decision = desired(&fleet, &Inputs::of(&fleet, &observed, noon()));
        (decision.recommendation, decision.workers, decision.limited_by)
    };
    assert_eq!(asks(60, 300), (Some(10), 10, None));
    assert_eq!(asks(60, 301), (Some(11), 10, Some(LimitedBy::Max)), "more workers would do it");
    assert_eq!(asks(20, 5), (Some(5), 5, Some(LimitedBy::BootTime)), "no number of workers does it");
    assert_eq!(asks(20, 500), (Some(10), 10, Some(LimitedBy::BootTime)));
}

/// What workers measured, what was learned, what is assumed: in this order.
#[test]
fn rates_and_boot_times_are_measured_learned_or_assumed() {
    let measured = |rate| Instance { jobs_per_second: Some(rate), ..ready("i", 100) };
    let learned = Learned { boot_cold: Some(secs(40)), boot_warm: None, jobs_per_second: Some(7.0) };
    let of = |instances, learned| Inputs::of(&fleet(), &Observed { learned, ..observed(1, instances) }, noon());
    let table = [
        (of(vec![], Learned::default()), (1.0, 30, 20, false)),
        (of(vec![], learned), (7.0, 40, 20, true)),
        (of(vec![measured(2.0), measured(4.0)], learned), (3.0, 40, 20, true)),
        (of(vec![measured(0.0), measured(f64::NAN)], learned), (7.0, 40, 20, true)),
        (of(vec![], Learned { boot_cold: Some(secs(10)), ..learned }), (7.0, 10, 10, true)),
    ];
    for (inputs, expected) in table {
        let (cold, warm) = (inputs.boot_cold.as_secs(), inputs.boot_warm.as_secs());
        assert_eq!((inputs.jobs_per_second, cold, warm, inputs.measured), expected);
    }
}

/// When each worker takes jobs: by what it is, and since when.
#[test]
fn boots_under_way_are_counted_down() {
    let late = Instance { warm: true, ..booting("i-late", 99) };
    let instances =
        vec![ready("i-ready", 100), booting("i-cold", 10), Instance { warm: true, ..booting("i-warm", 5) }, late, stopped("i-started", 50)];
    let intents = vec![
        common::intent("answered", 2, 4, &["i-8", "i-9"]),
        common::intent("unanswered", 3, 1, &[]),
        start_intent("start", 2, true, &["i-started"]),
    ];
    let inputs = Inputs::of(&fleet(), &Observed { intents, ..observed(1, instances) }, noon());
    let groups: Vec<(u32, i64)> = inputs.workers.iter().map(|group| (group.workers, group.ready_in.as_secs())).collect();
    assert_eq!(groups, [(2, 0), (1, 15), (1, 18), (1, 20), (2, 26), (3, 29)]);
}

/// A fresh operator does not know yet who works: it keeps the number rather than launch as if nobody did.
#[test]
fn without_a_list_the_number_is_kept() {
    let observed = Observed { inventory: None, desired: 3, ..observed(500, vec![]) };
    let plan = common::plan(&drains(60), &observed);
    assert_eq!((plan.desired, plan.recommendation, common::launched(&plan)), (3, None, 0));
}

prop_compose! {
    fn some_inputs()(workers in proptest::collection::vec((1u32..5, 0i64..60, 0.1f64..5.0), 0..4), startable in 0u32..5, cold in 5i64..90,
                     warm in 1i64..90, rate in 0.05f64..5.0, arrivals_per_second in prop_oneof![Just(0.0), 0.0f64..10.0], age in 0i64..90) -> Inputs {
        let mut workers: Vec<Group> = workers.into_iter().map(|(workers, ready_in, rate)| group(workers, ready_in, rate)).collect();
        workers.sort_by_key(|group| group.ready_in);
        let (boot_cold, boot_warm, oldest_age) = (secs(cold), secs(warm), Some(secs(age)));
        Inputs { workers, startable, boot_cold, boot_warm, jobs_per_second: rate, arrivals_per_second, oldest_age, ..inputs() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    /// But a stream that is late is let catch up.
    #[test]
    fn more_jobs_never_take_fewer(inputs in some_inputs(), jobs in 1u64..500, more in 0u64..100, within in 1i64..200) {
        let ((some, _), (many, met)) = (number(&inputs, jobs, within), number(&inputs, jobs + more, within));
        let caught_up = !met && inputs.arrivals_per_second > 0.0;
        prop_assert!(caught_up || some.min(100) <= many.min(100), "{some} for {jobs} jobs, {many} for {more} more");
    }

    /// While it can be met at all.
    #[test]
    fn less_time_never_takes_fewer(inputs in some_inputs(), jobs in 1u64..500, less in 0i64..100, within in 101i64..200) {
        let ((some, _), (many, met)) = (number(&inputs, jobs, within), number(&inputs, jobs, within - less));
        prop_assert!(!met || some <= many, "{some} in {within} s, {many} in {less} s less");
    }

    /// What is said to meet the deadline does, by the plainest of calculations; one worker less would not.
    #[test]
    fn the_fewest_that_do_it(inputs in some_inputs(), jobs in 1u64..300, within in 1i64..200) {
        let inputs = Inputs { arrivals_per_second: 0.0, ..inputs };
        let (workers, met) = number(&inputs, jobs, within);
        let slack = f64::from(u32::try_from((within - inputs.oldest_age.unwrap().as_secs()).max(0)).unwrap());
        let there = inputs.workers.iter().flat_map(|group| vec![(group.ready_in.as_secs_f64(), group.jobs_per_second); group.workers as usize]);
        let startable = if inputs.boot_warm <= inputs.boot_cold { inputs.startable as usize } else { 0 };
        let warm = std::iter::repeat_n((inputs.boot_warm.as_secs_f64(), inputs.jobs_per_second), startable);
        let cold = std::iter::repeat((inputs.boot_cold.as_secs_f64(), inputs.jobs_per_second));
        let pool: Vec<(f64, f64)> = there.chain(warm).chain(cold).take(workers as usize).collect();
        let does = |pool: &[(f64, f64)]| {
            let done: f64 = pool.iter().map(|(ready_in, rate)| rate * (slack - ready_in).max(0.0)).sum();
            done + 1e-3 >= f64::from(u32::try_from(jobs).unwrap())
        };
        prop_assert!(!met || does(&pool), "{workers} do not do it");
        let tight = |pool: &[(f64, f64)]| pool.split_last().is_none_or(|(_, fewer)| !does(fewer));
        // Within the rounding both are right.
        prop_assert!(!met || tight(&pool) || !does(&pool[..pool.len() - 1]) || workers == 1 || number(&inputs, jobs + 1, within).0 == workers);
    }
}
