//! The operator is killed at each call that it makes, before and after, and each call fails in each way that calls can fail:
//! each time the fleet ends with the wanted number of instances, none doubled, none leaked.
//!
//! How points share the work: a fleet goes through a chain of phases, from its creation to its deletion. A first run without
//! faults writes down the calls of each phase, from its trigger to the settled state. Then run number i strikes the i-th call of
//! each phase: each phase begins settled, with what it must have, so that only its own fault is under test. Calls are known by
//! what they ask for and the how manieth of their kind they are, so that a poll more or less moves none of them.
//! Of calls that only read, the first of each kind in a phase is struck; `CLASSIFIERFLEET_CRASH_POINTS=all` strikes every one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chain;
mod run;
mod schedule;
mod world;

use tokio::sync::Mutex;
use xtask::relay::{Fault, Refusal, Side};
use xtask::stack::{CloudDelays, Extent, Guests, Stack};

use schedule::{Kind, Schedule, Strikes};

async fn stack(name: &str) -> Stack {
    let stack = Stack::for_test(name, |options| {
        options.extent = Extent::Aws;
        // No operator but those of the lanes.
        options.record = false;
    });
    let stack = stack.await.unwrap();
    stack.define_fleets().await.unwrap();
    stack
}

/// Quick machines, in a list that is never quite up to date.
const QUICK: CloudDelays = CloudDelays { pending: 0.2, boot: 0.2, describe_lag: 0.4 };
/// Lists that trail as far as EC2's do on a bad day.
const LAGGING: CloudDelays = CloudDelays { pending: 0.5, boot: 0.5, describe_lag: 10.0 };
const GUESTS: Guests = Guests::Simulated { drain: 0.3 };

/// Each test takes all that the machine has.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Every call fails in each of `kinds` in turn.
async fn every_call(name: &str, kinds: &[Kind]) {
    let _turn = ONE_AT_A_TIME.lock().await;
    let stack = stack(&name.replace(' ', "-")).await;
    let schedule = Schedule::plan(&stack, QUICK, kinds).await;
    let covered = schedule.run(&stack, QUICK, LAGGING).await;
    stack.stop().await.unwrap();
    // Not by a macro: what passes prints too.
    xtask::progress::line(format!("\n{name} covered: {covered}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn an_operator_killed_at_any_call_leaks_and_doubles_nothing() {
    // What only reads has changed as little after its answer as before.
    let sides = [(Side::Before, Strikes::Any), (Side::After, Strikes::Changes)];
    let kinds = sides.map(|(side, strikes)| Kind { fault: Fault::Hang(side), times: 1, strikes, lagging: true });
    every_call("crash points", &kinds).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs the dev tools: cargo xtask test makes them"]
async fn a_call_that_fails_in_any_way_leaks_and_doubles_nothing() {
    const STARTS: Strikes = Strikes::Only(&["ec2:RunInstances", "ec2:StartInstances"]);
    // Three in a row: the SDK gives up, and the operator has to decide.
    let kind = |fault, strikes, lagging| Kind { fault, times: 3, strikes, lagging };
    let kinds = [
        kind(Fault::Lost(Side::After), Strikes::Changes, true),
        kind(Fault::Refused(Refusal::Throttled), Strikes::Any, false),
        kind(Fault::Refused(Refusal::Internal), Strikes::Changes, false),
        kind(Fault::Refused(Refusal::NoCapacity), STARTS, true),
    ];
    every_call("failing calls", &kinds).await;
}
