//! The launch protocol, exhaustively: two operators over the real `plan` code, a cloud, and whatever can go wrong between them,
//! in every order. `docs/verification.md` tells what is checked and what is not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod checker;
#[path = "../common/mod.rs"]
mod common;
mod model;
mod rest;
mod state;

use checker::{Explored, explore};
use common::operator::Bug;
use model::{Action, Protocol, Scope};
use state::Budget;

const fn budget(faults: u8, changes: u8, deaths: u8) -> Budget {
    Budget { faults, changes, deaths }
}

const LAUNCH: Scope =
    Scope { name: "launch", budget: budget(1, 1, 0), most: 1, pool: 0, grown: false, lags: true, deletion: false, bug: None };

/// Small enough for every run of the tests.
const QUICK: [Scope; 6] = [
    Scope { name: "no faults", budget: budget(0, 1, 0), ..LAUNCH },
    Scope { name: "a worker goes, an operator with an old list", budget: budget(0, 1, 0), grown: true, ..LAUNCH },
    Scope { name: "a worker fails", budget: budget(0, 1, 1), lags: false, ..LAUNCH },
    Scope { name: "a launch fails", lags: false, ..LAUNCH },
    Scope { name: "start of a stopped worker", budget: budget(0, 1, 0), pool: 1, lags: false, ..LAUNCH },
    Scope { name: "deletion", budget: budget(0, 1, 0), deletion: true, lags: false, ..LAUNCH },
];

/// Larger ones, for minutes.
const LARGE: [Scope; 5] = [
    Scope { name: "two launches fail", budget: budget(2, 1, 0), ..LAUNCH },
    Scope { name: "up to three workers", budget: budget(1, 2, 0), most: 3, ..LAUNCH },
    Scope { name: "scale-in with failures", budget: budget(1, 2, 1), ..LAUNCH },
    Scope { name: "a start fails", budget: budget(1, 1, 0), pool: 1, ..LAUNCH },
    Scope { name: "deletion in failures", budget: budget(1, 1, 0), deletion: true, ..LAUNCH },
];

/// States that a scope may have in the tests: about a minute of all of them together.
const QUICK_MOST: usize = 120_000;
/// What a machine of 8 GiB has room for.
const LARGE_MOST: usize = 1_200_000;

fn check(scope: Scope, most: usize) -> Explored<Action> {
    let explored = explore(&mut Protocol::of(scope), most);
    let Explored { states, transitions, depth, took, complete, .. } = &explored;
    let seconds = took.as_secs_f64();
    let all = if *complete { "all" } else { "not all" };
    println!("{}: {states} states ({all}), {transitions} transitions, depth {depth}, {seconds:.1} s", scope.name);
    if let Some((promise, way)) = &explored.broken {
        println!("  {promise}");
        way.iter().enumerate().for_each(|(at, action)| println!("  {:2}. {action:?}", at + 1));
    }
    explored
}

/// `cargo xtask verify` asks for more.
const VERIFY: &str = "CLASSIFIERFLEET_VERIFY";

#[test]
fn no_order_of_faults_breaks_a_promise() {
    let more: &[Scope] = if std::env::var_os(VERIFY).is_some() { &LARGE } else { &[] };
    for (scopes, most) in [(&QUICK[..], QUICK_MOST), (more, LARGE_MOST)] {
        for scope in scopes {
            let explored = check(*scope, most);
            assert!(explored.broken.is_none(), "{}: the way stands above", scope.name);
        }
    }
}

/// What cannot fail proves nothing.
#[test]
fn each_bug_is_found() {
    use Bug::{ForgottenAtOnce, NewTokens, NothingWritten, OldListsBelieved, OneToken, RefusalsBelieved};
    let calm = Scope { budget: budget(0, 1, 0), ..LAUNCH };
    let grows = Scope { budget: budget(0, 2, 0), most: 2, ..LAUNCH };
    let table = [
        ("nothing is written down", NothingWritten, calm, "2 workers are there"),
        ("all launches have one token", OneToken, grows, "rest"),
        ("each call has another token", NewTokens, LAUNCH, "rest"),
        ("intents are forgotten at once", ForgottenAtOnce, calm, "2 workers are there"),
        ("old lists are believed", OldListsBelieved, Scope { grown: true, ..calm }, "2 workers are there"),
        ("refusals are believed", RefusalsBelieved, LAUNCH, "2 workers are there"),
    ];
    for (name, bug, scope, what) in table {
        let explored = check(Scope { name, bug: Some(bug), ..scope }, QUICK_MOST);
        let (promise, way) = explored.broken.unwrap_or_else(|| panic!("{name}: not found"));
        assert!(promise.contains(what) && way.len() > 1, "{name}: {promise}");
    }
}
