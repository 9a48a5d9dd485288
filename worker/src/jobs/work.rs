//! One try of a job: from its image to its stored result. Knows nothing of its message.

use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::SemaphorePermit;
use tracing::Instrument as _;
use wire::{Job, JobResult, Outcome, Timings};

use super::Line;
use super::classify::Classified;
use super::cpu::CpuError;
use super::image::{Encoded, ImageError};
use super::isolated::{IsolatedError, Isolation};
use super::publish::{PublishError, Reply};
use super::room::Place;
use super::spans::step;

/// A job and how it is to be done.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) line: &'a Line,
    pub(super) job: &'a Job,
    pub(super) received_at: Timestamp,
    pub(super) place: Place,
    /// Nobody else will get it: it is done even when the worker drains.
    pub(super) last: bool,
    /// It may have ended other workers, and must not end this one.
    pub(super) isolation: Option<&'a Isolation>,
}

/// What is stored and remains to be announced.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) outcome: Outcome,
    pub(super) announcement: Reply,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Cpu(#[from] CpuError),
    #[error(transparent)]
    Isolated(#[from] IsolatedError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Work<'_> {
    /// From the image to the stored result; nothing when the worker drains before the job begins.
    pub(super) async fn run(&mut self) -> Result<Option<Done>, WorkError> {
        let Self { line, job, received_at, last, .. } = *self;
        let (workshop, metrics) = (&line.workshop, &line.workshop.metrics);
        let mut timings = Timings { queue_ms: milliseconds(seconds_between(job.submitted_at, received_at)), ..Timings::default() };
        let begin = Instant::now();
        let ready = async {
            let image = line.images.get(job).instrument(step("fetch")).await;
            let fetched = begin.elapsed().as_secs_f64();
            let image = match image {
                Ok(image) => Ok((image, workshop.cpu.turn().await)),
                Err(error) => Err(error),
            };
            (image, fetched)
        };
        let ready = if last { Some(ready.await) } else { workshop.drain.run_until_cancelled(ready).await };
        let Some((image, fetch_seconds)) = ready else { return Ok(None) };
        // From here on the job is begun, and will be finished even when the worker drains.
        self.place.begin();
        metrics.stage("fetch", fetch_seconds);
        timings.fetch_ms = milliseconds(fetch_seconds);
        let outcome = match image {
            Ok((image, turn)) => self.classify(image, turn, &mut timings).await?,
            Err(error) => error.outcome().ok_or(error)?,
        };
        self.store(outcome, timings).await.map(Some)
    }

    async fn classify(&self, image: Encoded, turn: SemaphorePermit<'_>, timings: &mut Timings) -> Result<Outcome, WorkError> {
        let workshop = &self.line.workshop;
        let Classified { outcome, decode_seconds, infer_seconds } = match self.isolation {
            None => {
                let classified = workshop.cpu.classify(image, turn, &workshop.metrics).await?;
                workshop.pace.observe(classified.decode_seconds + classified.infer_seconds);
                classified
            }
            Some(isolation) => {
                tracing::info!(job = %self.job.id, "a job on its last receive is classified in a process of its own");
                isolation.classify(&image.bytes).instrument(step("isolated process")).await?
            }
        };
        workshop.metrics.stage("decode", decode_seconds);
        workshop.metrics.stage("infer", infer_seconds);
        timings.decode_ms = milliseconds(decode_seconds);
        timings.infer_ms = milliseconds(infer_seconds);
        Ok(outcome)
    }

    async fn store(&self, outcome: Outcome, timings: Timings) -> Result<Done, WorkError> {
        let result = result(self.line, self.job, outcome, timings);
        let begin = Instant::now();
        let announcement = self.line.workshop.publisher.store(self.job, &result).instrument(step("store")).await?;
        self.line.workshop.metrics.stage("store", begin.elapsed().as_secs_f64());
        Ok(Done { outcome: result.outcome, announcement })
    }
}

/// What this worker says of a job now.
pub(super) fn result(line: &Line, job: &Job, outcome: Outcome, timings: Timings) -> JobResult {
    let identity = &line.workshop.identity;
    JobResult {
        id: job.id,
        name: job.name.clone(),
        outcome,
        model: line.workshop.cpu.model().reference(),
        revision: identity.revision.clone(),
        worker: identity.worker.clone(),
        submitted_at: job.submitted_at,
        finished_at: Timestamp::now(),
        timings,
        cached: false,
    }
}

/// Never negative: the two times are of two clocks.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Rounded to microseconds.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::seconds_between;

    #[test]
    fn clocks_that_disagree_give_no_negative_wait() {
        let (early, late) = ("2026-11-21T10:00:00Z".parse().unwrap(), "2026-11-21T10:00:01.5Z".parse().unwrap());
        assert_eq!(seconds_between(early, late), 1.5);
        assert_eq!(seconds_between(late, early), 0.0);
    }
}
