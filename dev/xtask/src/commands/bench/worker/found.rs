//! What `cargo xtask bench worker` found, and how it is told. Pure.

use anyhow::{Context as _, Result, ensure};
use wire::{JobResult, Outcome, Timings};

use super::super::peer;
use super::super::report::{Measure, Samples};
use super::contender::Sample;

/// What one round found.
pub(super) struct Round {
    /// Ours with one thread.
    pub(super) one: Figures,
    /// The same, with the photos in the messages.
    pub(super) inline: Figures,
    /// Ours with a thread for each core.
    pub(super) all: Figures,
    pub(super) peer: Figures,
}

/// What one worker did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    pub(super) images_per_second: f64,
    /// Part of the time that its threads decoded or inferred: its images a second over what its engine alone would do with
    /// the same images on the same busy machine.
    pub(super) busy: f64,
    /// CPU time of the process, milliseconds an image.
    pub(super) cpu_ms: f64,
    pub(super) told: Option<PerImage>,
}

/// What only our worker tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PerImage {
    /// Requests to SQS and S3.
    pub(super) calls: f64,
    /// CPU time beyond decoding and inference, milliseconds.
    pub(super) other_cpu_ms: f64,
}

impl Figures {
    /// From all answers in the order of their time, and two samples with the number of answers at their time.
    ///
    /// # Errors
    /// When an answer is an error, or there are too few.
    #[allow(clippy::cast_precision_loss)] // far below 2⁵³ images
    pub(super) fn new(results: &[JobResult], threads: usize, [(begin, before), (end, after)]: [(Sample, usize); 2]) -> Result<Self> {
        let failed = results.iter().find(|result| !matches!(result.outcome, Outcome::Classified { .. }));
        ensure!(failed.is_none(), "a photo was not classified: {failed:?}");
        let middle = &results[results.len() / 10..results.len() - results.len() / 10];
        let (first, last) = middle.first().zip(middle.last()).context("there are too few answers")?;
        let seconds = last.finished_at.duration_since(first.finished_at).as_secs_f64();
        ensure!(seconds > 0.0 && after > before, "there are too few answers");
        let images = (middle.len() - 1) as f64;
        let work = |result: &JobResult| {
            let Timings { queue_ms: _, fetch_ms: _, decode_ms, infer_ms } = result.timings;
            (decode_ms + infer_ms) / 1e3
        };
        let busy = middle.iter().skip(1).map(work).sum::<f64>() / seconds / threads as f64;
        let cpu = end.cpu_seconds - begin.cpu_seconds;
        let told = begin.told.zip(end.told).map(|(begin, end)| {
            let done = end.done - begin.done;
            let other = cpu - (end.classify_seconds - begin.classify_seconds);
            PerImage { calls: (end.calls - begin.calls) / done, other_cpu_ms: other * 1e3 / done }
        });
        Ok(Self { images_per_second: images / seconds, busy, cpu_ms: cpu * 1e3 / (after - before) as f64, told })
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { images_per_second, busy, cpu_ms, told } = self;
        write!(f, "{images_per_second:.1} images/s, {:.0} % of it decoding and inference, {cpu_ms:.1} CPU-ms an image", busy * 1e2)?;
        match told {
            Some(PerImage { calls, other_cpu_ms }) => write!(f, " ({other_cpu_ms:.2} beyond), {calls:.2} calls"),
            None => Ok(()),
        }
    }
}

/// The rows of the table.
pub(super) fn measures(rounds: &[Round]) -> Result<Vec<Measure>> {
    let samples = |value: &dyn Fn(&Round) -> Option<f64>| Samples::new(rounds.iter().filter_map(value));
    let ours = |measure: &str, unit, goal, value: &dyn Fn(&Round) -> Option<f64>| -> Result<Measure> {
        Ok(Measure { measure: measure.to_owned(), unit, ours: samples(value)?, peer: None, goal })
    };
    let both = |measure: &str, unit, goal, value: &dyn Fn(&Round) -> f64, peer: &dyn Fn(&Figures) -> f64| -> Result<Measure> {
        let peer = Samples::new(rounds.iter().map(|round| peer(&round.peer)))?;
        let ours = Samples::new(rounds.iter().map(value))?;
        Ok(Measure { measure: measure.to_owned(), unit, ours, peer: Some((peer::NAME, peer)), goal })
    };
    let rate = |figures: &Figures| figures.images_per_second;
    let cpu = |figures: &Figures| figures.cpu_ms;
    Ok(vec![
        both("all cores", "images/s", None, &|round| rate(&round.all), &rate)?,
        both("one thread", "images/s", None, &|round| rate(&round.one), &rate)?,
        ours("one thread, photos in the messages", "images/s", None, &|round| Some(rate(&round.inline)))?,
        ours("one thread, over its engine's own rate", "", Some("at least 0.9"), &|round| Some(round.one.busy))?,
        ours("all cores, over its engine's own rate", "", None, &|round| Some(round.all.busy))?,
        ours("calls to AWS", "/image", Some("at most 2.5"), &|round| Some(round.one.told?.calls))?,
        ours("calls to AWS, photos in the messages", "/image", None, &|round| Some(round.inline.told?.calls))?,
        both("CPU of the process, one thread", "ms/image", None, &|round| cpu(&round.one), &cpu)?,
        ours("CPU beyond decoding and inference", "ms/image", Some("at most 0.96: a tenth of a plain Python worker's"), &|round| {
            Some(round.one.told?.other_cpu_ms)
        })?,
    ])
}

/// What to know when reading the table.
pub(super) fn caption(rounds: usize, images: u32) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "Rounds: {rounds} of {images} images for each worker; medians (least–most). The {} uses all cores for each inference. RATIO is \
         ours / peer: above 1 is better for rates, below 1 for CPU time.\n\
         Worker and MiniStack (SQS and S3) share the {cores} cores of this machine: compare within one run, not between machines.",
        peer::NAME
    )
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use uuid::Uuid;
    use wire::ModelRef;

    use super::super::contender::Told;
    use super::*;

    fn results(count: i64, outcome: &Outcome) -> Vec<JobResult> {
        let begin: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let result = |number| JobResult {
            id: Uuid::nil(),
            name: String::new(),
            outcome: outcome.clone(),
            model: ModelRef { name: String::new(), version: String::new() },
            revision: String::new(),
            worker: String::new(),
            submitted_at: begin,
            finished_at: begin + SignedDuration::from_millis(20 * number),
            timings: Timings { queue_ms: 7.0, fetch_ms: 5.0, decode_ms: 4.0, infer_ms: 14.0 },
            cached: false,
        };
        (0..count).map(result).collect()
    }

    #[test]
    fn figures_are_of_the_middle_and_of_what_was_done_between_the_samples() {
        let outcome = Outcome::Classified { label: "cat".to_owned(), predictions: Vec::new() };
        let sample = |cpu_seconds, done, calls, classify_seconds| {
            let told = Some(Told { done, calls, classify_seconds });
            Sample { cpu_seconds, told }
        };
        let samples = [(sample(2.0, 10.0, 50.0, 1.0), 10), (sample(4.0, 100.0, 257.0, 2.82), 90)];
        let figures = Figures::new(&results(100, &outcome), 1, samples).unwrap();
        let told = figures.told.unwrap();
        let found = [figures.images_per_second, figures.busy, figures.cpu_ms, told.calls, told.other_cpu_ms];
        let expected = [50.0, 0.9, 25.0, 2.3, 2.0];
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn a_photo_that_was_not_classified_is_no_measurement() {
        let outcome = Outcome::Failed { code: wire::ErrorCode::Missing, message: "gone".to_owned() };
        assert!(Figures::new(&results(100, &outcome), 1, [(Sample::default(), 0), (Sample::default(), 90)]).is_err());
    }
}
