//! The life of instances: by request, by their guest and by time.

use cloudsim::Refusal;
use cloudsim::state::{Cloud, Effect, ShutdownBehavior};
use jiff::Timestamp;

use crate::{at, launched, request, state, words};

enum Do {
    Tick,
    Stop,
    ForceStop,
    Start,
    Terminate,
    PowerOff,
    GuestEnded,
}

fn perform(cloud: &mut Cloud, step: &Do, id: &str, now: Timestamp) -> Vec<Effect> {
    let ids = [id.to_owned()];
    let mut effects = cloud.tick(now);
    effects.extend(match step {
        Do::Tick => Vec::new(),
        Do::Stop => cloud.stop_instances(&ids, false, now).unwrap().1,
        Do::ForceStop => cloud.stop_instances(&ids, true, now).unwrap().1,
        Do::Start => cloud.start_instances(&ids, now).unwrap().1,
        Do::Terminate => cloud.terminate_instances(&ids, now).unwrap().1,
        Do::PowerOff => cloud.guest_powered_off(id, now),
        Do::GuestEnded => {
            cloud.guest_ended(id, now);
            Vec::new()
        }
    });
    effects
}

/// Second, what is done then, the state after it, the effects of it.
type Step = (i64, Do, &'static str, &'static [&'static str]);

fn play(shutdown_behavior: ShutdownBehavior, script: &[Step]) {
    let (mut cloud, id) = launched(shutdown_behavior);
    for (second, step, expected, effects) in script {
        let seen = perform(&mut cloud, step, &id, at(*second));
        assert_eq!((state(&cloud, &id), words(&seen).as_slice()), (*expected, *effects), "at {second} s");
    }
}

#[test]
fn a_life_with_a_stop_in_it() {
    use Do::{ForceStop, GuestEnded, Start, Stop, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (9, Tick, "pending", &[]),
            (10, Tick, "running", &[]),
            (15, Tick, "running", &["first boot"]),
            (20, Stop, "stopping", &["shutdown"]),
            (21, Stop, "stopping", &[]),
            (22, GuestEnded, "stopped", &[]),
            (30, Start, "pending", &[]),
            (100, Tick, "running", &["boot"]),
            (110, ForceStop, "stopping", &["kill"]),
            (111, GuestEnded, "stopped", &[]),
            (120, Terminate, "shutting-down", &["shutdown"]),
            (121, GuestEnded, "terminated", &[]),
            (130, Terminate, "terminated", &[]),
            (121 + 3599, Tick, "terminated", &[]),
            (121 + 3600, Tick, "gone", &[]),
        ],
    );
}

#[test]
fn a_guest_that_powers_off() {
    use Do::{GuestEnded, PowerOff, Tick};
    for (behavior, going, gone) in
        [(ShutdownBehavior::Stop, "stopping", "stopped"), (ShutdownBehavior::Terminate, "shutting-down", "terminated")]
    {
        play(
            behavior,
            &[
                (1, PowerOff, "pending", &[]),
                (15, Tick, "running", &["first boot"]),
                (20, PowerOff, going, &["shutdown"]),
                (21, PowerOff, going, &[]),
                (22, GuestEnded, gone, &[]),
            ],
        );
    }
}

#[test]
fn what_is_terminated_while_pending_never_boots() {
    use Do::{GuestEnded, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (1, Terminate, "shutting-down", &["shutdown"]),
            (20, Tick, "shutting-down", &[]),
            (21, GuestEnded, "terminated", &[]),
            (40, Tick, "terminated", &[]),
        ],
    );
}

#[test]
fn what_is_terminated_while_stopping_is_switched_off_once() {
    use Do::{GuestEnded, Stop, Terminate, Tick};
    play(
        ShutdownBehavior::Stop,
        &[
            (15, Tick, "running", &["first boot"]),
            (20, Stop, "stopping", &["shutdown"]),
            (21, Terminate, "shutting-down", &[]),
            (22, GuestEnded, "terminated", &[]),
        ],
    );
}

#[test]
fn the_next_due_time_leads_through_all_that_happens() {
    let (mut cloud, _) = launched(ShutdownBehavior::Stop);
    let mut seen = Vec::new();
    while let Some(due) = cloud.next_due() {
        seen.push((due, words(&cloud.tick(due)).join(" ")));
    }
    assert_eq!(seen, [(at(10), String::new()), (at(15), "first boot".to_owned())]);
}

#[test]
fn a_token_outlives_its_instances() {
    let (mut cloud, id) = launched(ShutdownBehavior::Stop);
    cloud.terminate_instances(std::slice::from_ref(&id), at(1)).unwrap();
    cloud.guest_ended(&id, at(2));
    cloud.tick(at(10_000));
    assert_eq!(cloud.instances().count(), 0);
    let again = cloud.run_instances(request("token", ShutdownBehavior::Stop), at(10_001));
    assert_eq!(again, Err(Refusal::IdempotentInstanceTerminated("token".to_owned())));
}
