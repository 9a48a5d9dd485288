//! What `cargo xtask bench path` found, and how it is told. Pure.

use anyhow::Result;

use super::super::peer;
use super::super::report::{Measure, Samples};
use super::{BURST, DELAYS};
use crate::stack::CloudDelays;

/// What one round found.
pub(super) struct Round {
    pub(super) launch_ms: f64,
    pub(super) cold_ms: f64,
    pub(super) ours: Warm,
    pub(super) peer: Warm,
}

/// What a worker that is ready did.
pub(super) struct Warm {
    /// Median of the photos that were uploaded one after the other.
    pub(super) answer_ms: f64,
    /// The worker's own part of it.
    pub(super) work_ms: f64,
    pub(super) burst_seconds: f64,
    /// Photos classified right, of those uploaded one after the other.
    pub(super) right: f64,
}

impl std::fmt::Display for Warm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { answer_ms, work_ms, burst_seconds, right } = self;
        write!(f, "{answer_ms:.0} ms an answer ({work_ms:.0} of work), {BURST} at once in {burst_seconds:.1} s, {right} right")
    }
}

/// The rows of the table.
pub(super) fn measures(rounds: &[Round]) -> Result<Vec<Measure>> {
    let alone = |measure: &str, value: fn(&Round) -> f64| -> Result<Measure> {
        let ours = Samples::new(rounds.iter().map(value))?;
        Ok(Measure { measure: measure.to_owned(), unit: "ms", ours, peer: None, goal: None })
    };
    let both = |measure: &str, unit, goal, value: fn(&Warm) -> f64| -> Result<Measure> {
        let ours = Samples::new(rounds.iter().map(|round| value(&round.ours)))?;
        let peer = Samples::new(rounds.iter().map(|round| value(&round.peer)))?;
        Ok(Measure { measure: measure.to_owned(), unit, ours, peer: Some((peer::NAME, peer)), goal })
    };
    Ok(vec![
        alone("first upload to launch call, no worker", |round| round.launch_ms)?,
        alone("upload to answer, cold", |round| round.cold_ms)?,
        alone("upload to answer, cold, less EC2's simulated delays", |round| round.cold_ms - 1e3 * (DELAYS.pending + DELAYS.boot))?,
        both("upload to answer, warm, one after the other", "ms", Some("below 4,000 ms"), |warm| warm.answer_ms)?,
        both("of it the worker's fetch, decode and inference", "ms", None, |warm| warm.work_ms)?,
        both(
            "100 uploads at once, warm, to the last answer",
            "s",
            Some("below 130 s, which earlier systems took on 20 instances"),
            |warm| warm.burst_seconds,
        )?,
        both("100 uploads at once, warm, rate", "images/s", None, |warm| BURST as f64 / warm.burst_seconds)?,
        both("right at top 1, of 20 photos", "photos", Some("at least 18"), |warm| warm.right)?,
    ])
}

/// What to know when reading the table.
pub(super) fn caption(rounds: usize) -> String {
    let CloudDelays { pending, boot, describe_lag } = DELAYS;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Rounds: {rounds}; medians (least–most). Ours and the {} in turn, one worker each. RATIO is ours / peer: below 1 is better \
         for times, above 1 for rates.\n\
         EC2 is simulated: {pending} s from launch to running, {boot} s to boot, {describe_lag} s until DescribeInstances shows a change. \
         This is no measurement of AWS.\n\
         SQS and S3 are MiniStack, whose long polls look every 0.1 s: up to 0.2 s of each warm answer, on both sides.\n\
         Uploader, gateway, operator, worker, Kubernetes and AWS's stand-ins share the {cores} cores of this machine: compare \
         within one run, not between machines.",
        peer::NAME
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_do_has_a_peer() {
        let warm = |answer_ms, burst_seconds| Warm { answer_ms, work_ms: 50.0, burst_seconds, right: 18.0 };
        let round = Round { launch_ms: 300.0, cold_ms: 4500.0, ours: warm(100.0, 5.0), peer: warm(200.0, 10.0) };
        let measures = measures(&[round]).unwrap();
        let peers: Vec<bool> = measures.iter().map(|measure| measure.peer.is_some()).collect();
        assert_eq!(peers, [false, false, false, true, true, true, true, true]);
        assert_eq!(measures[2].ours.median(), 1500.0);
        assert_eq!((measures[6].ours.median(), measures[6].peer.as_ref().unwrap().1.median()), (20.0, 10.0));
    }
}
