//! What would happen, decided with the operator's code and carried on for a while.
#![allow(clippy::unwrap_used)]

mod common;

use clap::Parser as _;
use cli::args::{Cli, Command};
use cli::forecast::{Forecast, forecast, text};
use cli::paint::Paint;
use common::{fleet, noon};

const ROOM: (&str, &str) = ("max: 5", "max: 20");
const DRAIN: (&str, &str) = ("messagesPerWorker: 10", "drainSeconds: 60");
const POOL: (&str, &str) = ("max: 5", "max: 5\n    warmPool: {max: 3}");
const SPOT: (&str, &str) = ("instanceTypes: [t3.small]", "instanceTypes: [t3.small]\n      capacity: {spot: true}");

/// What `explain -f` says of the example with `changes`, given `arguments`.
fn foreseen(changes: &[(&str, &str)], arguments: &str) -> Result<Forecast, cli::forecast::Error> {
    let line = ["kubectl-fleet", "explain", "-f", "x"].into_iter().chain(arguments.split_whitespace());
    let Command::Explain(args) = Cli::try_parse_from(line).unwrap().command else { unreachable!() };
    assert!(args.situation.is_given());
    forecast(&fleet(changes), &args.situation, noon())
}

fn said(changes: &[(&str, &str)], arguments: &str) -> String {
    text(&foreseen(changes, arguments).unwrap(), Paint::OFF)
}

#[test]
fn a_burst_is_answered_up_to_max() {
    insta::assert_snapshot!(said(&[], "--backlog 300 --workers 4 --rate 12 --boot 35s"));
}

#[test]
fn a_deadline_is_planned_with_boot_time_and_age() {
    insta::assert_snapshot!(said(&[ROOM, DRAIN], "--backlog 900 --rate 4 --boot 25s --oldest-age 5s"));
}

#[test]
fn a_backlog_that_is_gone_stops_workers_into_the_pool() {
    insta::assert_snapshot!(said(&[POOL], "--backlog 0 --workers 2 --stopped 1"));
}

#[test]
fn stopped_workers_are_started_first() {
    let forecast = foreseen(&[POOL], "--backlog 35 --stopped 2 --boot-warm 18s").unwrap();
    assert_eq!((forecast.desired, forecast.start, forecast.launch[0].count), (4, 2, 2));
}

#[test]
fn workers_on_their_way_count() {
    let forecast = foreseen(&[], "--backlog 40 --workers 4 --ready 1").unwrap();
    assert_eq!((forecast.desired, forecast.launch.len(), forecast.drain), (4, 0, 0));
}

#[test]
fn closed_spot_is_answered_with_on_demand() {
    let forecast = foreseen(&[SPOT], "--backlog 20 --closed spot").unwrap();
    assert_eq!(forecast.launch[0].offering, "t3.small");
    assert_eq!(foreseen(&[SPOT], "--backlog 20").unwrap().launch[0].offering, "t3.small (spot)");
    let error = foreseen(&[SPOT], "--backlog 20 --closed c5.large").unwrap_err().to_string();
    assert_eq!(error, "--closed c5.large fits none of the fleet's offerings; there are t3.small (spot), t3.small");
}

#[test]
fn failed_samples_keep_the_number_or_fall_back() {
    let fallback = ("    behavior:", "    fallback: {failureThreshold: 3, workers: 3}\n    behavior:");
    let kept = foreseen(&[fallback], "--failed-samples 3 --workers 1").unwrap();
    let fallen = foreseen(&[fallback], "--failed-samples 4 --workers 1").unwrap();
    assert_eq!((kept.desired, fallen.desired), (1, 3));
    assert!(fallen.timeline.is_none());
}

#[test]
fn arrivals_beyond_all_workers_are_told() {
    let text = said(&[], "--backlog 300 --workers 5 --rate 1 --arrivals 9");
    assert!(text.contains("Jobs still wait after 10 min"), "{text}");
}

#[test]
fn more_ready_than_there_are_is_refused() {
    let error = foreseen(&[], "--backlog 1 --workers 2 --ready 3").unwrap_err().to_string();
    assert!(error.contains("--ready 3 is more than --workers 2"), "{error}");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let json = || serde_json::to_string(&foreseen(&[ROOM, DRAIN], "--backlog 900 --rate 4 --arrivals 3").unwrap()).unwrap();
    assert_eq!(json(), json());
}
