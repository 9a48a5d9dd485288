//! Fleets as a table, at widths from a phone's to a wall's.
#![allow(clippy::unwrap_used)]

mod common;

use cli::paint::Paint;
use cli::status::{View, peak, table};
use common::{ago, condition, decided, fleet, inputs, with};
use crds::{ClassifierFleet, RolloutStatus};
use jiff::SignedDuration;
use plan::Inputs;
use unicode_width::UnicodeWidthStr as _;

/// One that scales up, one that is idle, one whose roll-out is stalled, one that nobody has seen.
fn fleets() -> Vec<ClassifierFleet> {
    let named = |mut fleet: ClassifierFleet, name: &str| {
        fleet.metadata.name = Some(name.to_owned());
        fleet
    };
    let busy = Inputs { oldest_age: Some(SignedDuration::from_millis(4200)), ..inputs(120, 2) };
    let busy = with(decided(fleet(&[]), &busy), |status| {
        status.workers.starting = 3;
        status.workers.stopped = 1;
        status.conditions = vec![condition("Ready", "True", "ScalingUp", "Workers are on their way.")];
    });
    let idle = with(decided(fleet(&[]), &inputs(0, 0)), |status| {
        status.conditions = vec![condition("Ready", "True", "Idle", "Nothing waits and no worker runs.")];
    });
    let stalled = with(decided(fleet(&[]), &inputs(17, 2)), |status| {
        status.workers.outdated = 2;
        let message = "2 workers in a row did not register in time. Look at an instance's console output: image, instance profile, network and model are the usual causes.";
        status.conditions = vec![condition("Ready", "False", "WorkersNeverReady", message)];
        let revision = "1-4f2a9c".to_owned();
        status.rollout = Some(RolloutStatus { revision, proven: false, never_ready: 2, failed_at: Some(ago(100)), template_version: None });
    });
    vec![named(stalled, "faces"), named(busy, "imagenet"), named(idle, "night"), named(fleet(&[]), "new")]
}

fn lines(width: Option<usize>, paint: Paint) -> Vec<String> {
    shown(&fleets(), width, paint)
}

fn shown(fleets: &[ClassifierFleet], width: Option<usize>, paint: Paint) -> Vec<String> {
    let fleets: Vec<&ClassifierFleet> = fleets.iter().collect();
    table(&fleets, &View { width, namespaces: width.is_none(), peak: peak(&fleets), paint })
}

#[test]
fn wide() {
    insta::assert_snapshot!(lines(Some(140), Paint::OFF).join("\n"));
}

#[test]
fn usual() {
    insta::assert_snapshot!(lines(Some(80), Paint::OFF).join("\n"));
}

#[test]
fn narrow() {
    insta::assert_snapshot!(lines(Some(40), Paint::OFF).join("\n"));
}

#[test]
fn in_a_pipe_each_fleet_is_one_line_for_awk() {
    let lines = lines(None, Paint::OFF);
    assert_eq!(lines.len(), 5);
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let fleets = fleets();
    for width in 20..200 {
        for line in shown(&fleets, Some(width), Paint::OFF) {
            assert!(line.width() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let bare = |line: &str| {
        let mut parts = line.split('\u{1b}');
        let first = parts.next().unwrap().to_owned();
        parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
    };
    let painted = lines(Some(100), Paint::ON);
    assert!(painted.iter().any(|line| line.contains('\u{1b}')));
    let bared: Vec<String> = painted.iter().map(|line| bare(line).trim_end().to_owned()).collect();
    assert_eq!(bared, lines(Some(100), Paint::OFF));
}
