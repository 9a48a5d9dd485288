//! What `cargo xtask bench scale` found, and how it is told. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::super::report::{Measure, Samples};
use super::calls::Calls;
use super::process::{Memory, Usage};
use crate::stack::CloudDelays;

const MEGABYTE: f64 = 1e6;

/// All that was found.
pub(super) struct Found {
    /// Fleets, and instances of all of them at the end.
    pub(super) size: (usize, usize),
    /// From the first fleet applied to all workers ready.
    pub(super) fill: Duration,
    pub(super) rest: Window,
    /// While fleets are woken one after the other.
    pub(super) busy: Window,
    pub(super) wake_ms: Vec<f64>,
    pub(super) poll_ms: Vec<f64>,
    pub(super) burst_ms: Vec<f64>,
    pub(super) restart_seconds: f64,
    /// Calls that EC2 throttled, ever.
    pub(super) throttled: u64,
    /// The most that a timer of this program was late while reactions were measured.
    pub(super) late_ms: f64,
}

/// What the operator needed for a while.
#[derive(Debug, Clone)]
pub(super) struct Window {
    lasted: Duration,
    cores: f64,
    machine_cores: f64,
    memory: Memory,
    per_minute: BTreeMap<String, f64>,
}

impl Window {
    pub(super) fn between(before: (Usage, &Calls), after: (Usage, &Calls), memory: Memory) -> Self {
        let (lasted, cores, machine_cores) = after.0.since(&before.0);
        Self { lasted, cores, machine_cores, memory, per_minute: after.1.per_minute(before.1) }
    }

    /// Calls a minute to `service`, all kinds together.
    fn to(&self, service: &str) -> f64 {
        self.all(|name| name.starts_with(service))
    }

    /// Writes a minute to the API server. Leases are renewed for ever by whoever leads, the API server itself included, and
    /// reviews change nothing.
    fn writes(&self) -> f64 {
        self.all(|name| name.starts_with("kube:") && !name.ends_with(" leases") && !name.ends_with("reviews"))
    }

    /// Calls a minute of these kinds. Not by `sum`: that of nothing is -0.
    fn all(&self, is_meant: impl Fn(&str) -> bool) -> f64 {
        self.per_minute.iter().filter(|(name, _)| is_meant(name)).fold(0.0, |sum, (_, rate)| sum + rate)
    }

    /// Kinds of calls, the most frequent first.
    fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.per_minute.iter().collect();
        kinds.sort_by(|one, other| other.1.total_cmp(one.1));
        kinds.iter().map(|(name, rate)| format!("{name} {rate:.0}")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lasted, cores, machine_cores, memory, .. } = self;
        let (seconds, now, peak) = (lasted.as_secs_f64(), memory.now / MEGABYTE, memory.peak / MEGABYTE);
        write!(
            f,
            "{cores:.3} cores of {machine_cores:.2} busy ones in {seconds:.0} s, {now:.0} MB resident (at most {peak:.0}); calls a minute: {}",
            self.kinds()
        )
    }
}

/// The rows of the table.
pub(super) fn measures(found: &Found) -> Result<Vec<Measure>> {
    let one = |measure: &str, unit, value: f64, goal| -> Result<Measure> {
        Ok(Measure { measure: measure.to_owned(), unit, ours: Samples::new([value])?, peer: None, goal })
    };
    let Found { fill, rest, busy, wake_ms, poll_ms, burst_ms, restart_seconds, throttled, late_ms, .. } = found;
    let mut measures = vec![
        one("fleets applied to all workers ready", "s", fill.as_secs_f64(), None)?,
        one("at rest: CPU", "cores", rest.cores, Some("below 0.5"))?,
        one("at rest: memory, resident", "MB", rest.memory.now / MEGABYTE, Some("below 260"))?,
        one("at most, ever until then: memory, resident", "MB", rest.memory.peak / MEGABYTE, None)?,
        one("at rest: calls to EC2", "1/min", rest.to("ec2:"), None)?,
        one("at rest: calls to SQS", "1/min", rest.to("sqs:"), None)?,
        one("at rest: calls to S3", "1/min", rest.to("s3:"), None)?,
        one("at rest: writes to the API server", "1/min", rest.writes(), Some("near 0"))?,
        one("a fleet woken every 1.5 s: CPU", "cores", busy.cores, None)?,
    ];
    measures.extend(reaction("lease to launch call, one after the other", wake_ms, Some("below 1,000"))?);
    measures.extend(reaction("messages to launch call, without a wake", poll_ms, Some("below 16,000: the poll interval and 1 s"))?);
    measures.extend(reaction("lease to launch call, all at once", burst_ms, Some("EC2 launches 2 a second"))?);
    measures.push(one("operator started to launch of a woken fleet", "s", *restart_seconds, None)?);
    #[allow(clippy::cast_precision_loss)] // a few, if any
    measures.push(one("calls that EC2 throttled, ever", "calls", *throttled as f64, Some("0"))?);
    measures.push(one("the machine: most that a timer was late meanwhile", "ms", *late_ms, None)?);
    Ok(measures)
}

fn reaction(measure: &str, milliseconds: &[f64], goal: Option<&'static str>) -> Result<[Measure; 2]> {
    let samples = Samples::new(milliseconds.iter().copied())?;
    let p99 = Samples::new([samples.quantile(0.99)])?;
    let row = |percentile: &str, ours, goal| Measure { measure: format!("{measure}, {percentile}"), unit: "ms", ours, peer: None, goal };
    Ok([row("p50", samples, None), row("p99", p99, goal)])
}

/// What to know when reading the table.
pub(super) fn caption(found: &Found, delays: CloudDelays) -> String {
    let CloudDelays { pending, boot, describe_lag } = delays;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let ((fleets, instances), rest, reactions) = (found.size, &found.rest, found.wake_ms.len());
    format!(
        "{fleets} fleets, {instances} instances at the end, one operator. EC2 is simulated, with its default token buckets: {pending} s from launch to \
         running, {boot} s to boot, {describe_lag} s until DescribeInstances shows a change. This is no measurement of AWS.\n\
         At rest, for {:.0} s: {:.2} of the machine's {cores} cores were busy, the operator's part included. Calls a minute: {}.\n\
         Reactions: {reactions} of each kind. Once all at once, EC2's bucket alone takes {:.0} s for the last.",
        rest.lasted.as_secs_f64(),
        rest.machine_cores,
        rest.kinds(),
        ec2_takes(found.burst_ms.len()),
    )
}

/// Seconds until EC2 takes the last of so many launches: a burst of 5, then 2 a second.
fn ec2_takes(launches: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)] // a hundred
    let waiting = launches.saturating_sub(5) as f64;
    waiting / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(per_minute: &[(&str, f64)]) -> Window {
        let per_minute = per_minute.iter().map(|(name, rate)| ((*name).to_owned(), *rate)).collect();
        let memory = Memory { now: 200e6, peak: 220e6 };
        Window { lasted: Duration::from_secs(60), cores: 0.25, machine_cores: 1.0, memory, per_minute }
    }

    #[test]
    fn calls_are_added_up_by_service_and_leases_are_no_writes() {
        let calls = [
            ("ec2:DescribeInstances", 60.0),
            ("kube:PUT leases", 12.0),
            ("kube:PUT classifierfleets/status", 3.0),
            ("sqs:GetQueueUrl", 1.0),
        ];
        let window = window(&calls);
        assert_eq!((window.to("ec2:"), window.to("sqs:"), window.writes()), (60.0, 1.0, 3.0));
        assert!(window.kinds().starts_with("ec2:DescribeInstances 60, kube:PUT leases 12"));
    }

    #[test]
    fn every_goal_has_a_row() {
        let (rest, busy) = (window(&[]), window(&[]));
        let milliseconds = vec![1.0; 100];
        let found = Found {
            size: (1000, 10_000),
            fill: Duration::from_secs(500),
            rest,
            busy,
            wake_ms: milliseconds.clone(),
            poll_ms: milliseconds.clone(),
            burst_ms: milliseconds,
            restart_seconds: 2.0,
            throttled: 0,
            late_ms: 3.0,
        };
        let goals = measures(&found).unwrap().iter().filter(|measure| measure.goal.is_some()).count();
        assert_eq!(goals, 7);
        assert_eq!(ec2_takes(100), 47.5);
    }
}
