//! What a run comes to, in numbers. Pure.

use serde::Serialize;

use crate::run::Played;

/// What a run comes to. Times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whose run.
    pub policy: String,
    /// Images uploaded.
    pub images: usize,
    /// Images that were never answered while the run lasted.
    pub unanswered: usize,
    /// From the first upload to the last answer.
    pub makespan: f64,
    /// From upload to answer, half are quicker.
    pub p50: f64,
    /// One in a hundred is slower.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
    /// The part of all images that were answered within the time that the fleet promises, 0 to 1; none where it promises none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_drain_seconds: Option<f64>,
    /// Launches and starts of instances.
    pub starts: usize,
    /// Instances that were billed at once, at most.
    pub most: usize,
    /// Seconds that instances ran.
    pub instance_seconds: f64,
    /// The same as EC2 bills it: a minute at least for each start.
    pub billed_seconds: f64,
    /// What that costs, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Time in which images waited although all ready workers were busy.
    pub under_provisioned: f64,
    /// Time in which a ready worker had nothing to do.
    pub over_provisioned: f64,
    /// Workers that were switched off from outside while they had images in work.
    pub ended_busy: u32,
    /// Of them, those whose work was lost.
    pub killed_busy: u32,
    /// The fewest billed seconds with which anybody who knew the future could have been as quick at the 99th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_seconds: Option<f64>,
}

impl Report {
    /// Of `played`, with instances at `usd_per_hour`, and answers promised within `drain_seconds`.
    #[must_use]
    pub fn of(played: &Played, usd_per_hour: Option<f64>, drain_seconds: Option<f64>) -> Self {
        let seconds = |from: jiff::Timestamp, until: jiff::Timestamp| until.duration_since(from).as_secs_f64();
        let mut times: Vec<f64> = played.answers.iter().map(|it| seconds(it.uploaded_at, it.answered_at)).collect();
        times.sort_by(f64::total_cmp);
        let first = played.answers.iter().map(|it| it.uploaded_at).min();
        let last = played.answers.iter().map(|it| it.answered_at).max();
        let within = |limit: f64| ratio(times.iter().filter(|time| **time <= limit).count(), played.offsets.len());
        let during = |is: fn(&crate::run::Moment) -> bool| ratio(played.moments.iter().filter(|moment| is(moment)).count(), 1);
        Self {
            policy: played.policy.clone(),
            images: played.offsets.len(),
            unanswered: played.offsets.len() - played.answers.len(),
            makespan: tenths(first.zip(last).map_or(0.0, |(first, last)| seconds(first, last))),
            p50: tenths(quantile(&times, 0.5)),
            p99: tenths(quantile(&times, 0.99)),
            max: tenths(quantile(&times, 1.0)),
            within_drain_seconds: drain_seconds.map(within),
            starts: played.bill.starts,
            most: played.moments.iter().map(|moment| moment.running).max().unwrap_or(0),
            instance_seconds: tenths(played.bill.seconds),
            billed_seconds: tenths(played.bill.billed_seconds),
            usd: usd_per_hour.map(|usd| usd * played.bill.billed_seconds / 3600.0),
            under_provisioned: during(|moment| moment.idle == 0 && moment.backlog > moment.ready as u64),
            over_provisioned: during(|moment| moment.idle > 0),
            ended_busy: played.ended_busy,
            killed_busy: played.killed_busy,
            bound_seconds: None,
        }
    }

    /// How many times what the bound says it cost.
    #[must_use]
    pub fn times_bound(&self) -> Option<f64> {
        self.bound_seconds.filter(|bound| *bound > 0.0).map(|bound| self.billed_seconds / bound)
    }
}

/// The least value that `part` of all do not exceed, 0 to 1; 0 of none.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index, from 0 to 1 of all
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[allow(clippy::cast_precision_loss)] // counts, far below 2⁵³
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        let times: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|part| quantile(&times, part)), [100.0, 198.0, 200.0]);
        assert!(quantile(&[], 0.5).abs() < f64::EPSILON);
    }
}
