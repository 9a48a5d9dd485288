//! One job from its message to its end. The message is deleted last: a worker that dies anywhere before loses nothing,
//! the job is done again and its result written again under the same key.

use std::time::{Duration, Instant};

use aws_sdk_s3::Client as S3;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use wire::{Job, JobResult, Outcome, Timings};

use super::classify::{Classified, ClassifyError, classify};
use super::image::{ImageError, fetch};
use super::publish::{PublishError, Publisher};
use super::queue::{Message, Queue};
use super::receive::Held;
use super::{Identity, Limits, heartbeat};
use crate::activity::Activity;
use crate::cause::chain;
use crate::metrics::Metrics;
use crate::model::Model;

/// All that jobs are done with.
#[derive(Debug)]
pub struct Workshop {
    /// Where jobs come from.
    pub queue: Queue,
    /// Where images lie.
    pub s3: S3,
    /// Where results go.
    pub publisher: Publisher,
    /// What classifies.
    pub model: std::sync::Arc<Model>,
    /// Who answers.
    pub identity: Identity,
    /// What is refused.
    pub limits: Limits,
    /// One permit for each image that may be decoded and classified at a time.
    pub cpu: Semaphore,
    /// Cancelled when nothing new may begin.
    pub drain: CancellationToken,
    /// Told of every job that is held.
    pub activity: Activity,
    /// What is counted.
    pub metrics: Metrics,
}

/// How a message ended here.
#[derive(Debug)]
enum Ending {
    /// The result is published, the message deleted.
    Done,
    /// Draining: given back before it began.
    GivenBack,
    /// Not a job.
    NotAJob,
    /// Something failed that may pass: tried again later, here or elsewhere.
    Failed,
}

#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Classify(#[from] ClassifyError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the classification ended by itself")]
    Died(#[from] JoinError),
}

/// Does one job. An error means that the worker itself is broken.
pub(super) async fn process(workshop: &Workshop, held: Held) -> Result<(), JoinError> {
    let _busy = workshop.activity.begin();
    workshop.metrics.held.inc();
    let ending = end(workshop, held).await;
    workshop.metrics.held.dec();
    workshop.metrics.ended(match ending? {
        Ending::Done => "done",
        Ending::GivenBack => "given_back",
        Ending::NotAJob => "not_a_job",
        Ending::Failed => "failed",
    });
    Ok(())
}

async fn end(workshop: &Workshop, Held { message, place }: Held) -> Result<Ending, JoinError> {
    let received_at = Timestamp::now();
    let job = match Job::from_message(&message.body) {
        Ok(job) => job,
        Err(error) => {
            // Left hidden until its timeout ends: given back at once it would be received again at once, by all workers
            // in turn, until the redrive policy takes it. Deleted, nobody could find out who sent it.
            tracing::error!(message = message.id, receives = message.receives, %error, "a message is no job, left to the dead-letter queue");
            return Ok(Ending::NotAJob);
        }
    };
    let work = heartbeat::during(&workshop.queue, &message, work(workshop, &job, received_at, place)).await;
    match work {
        Ok(Some(outcome)) => Ok(done(workshop, &job, &message, &outcome).await),
        Ok(None) => Ok(give_back(workshop, &job, &message).await),
        Err(ProcessError::Died(error)) => Err(error),
        Err(error) => Ok(retry(workshop, &job, &message, error).await),
    }
}

/// From the image to the published result; nothing when the worker drains before the job begins.
async fn work(
    workshop: &Workshop,
    job: &Job,
    received_at: Timestamp,
    place: OwnedSemaphorePermit,
) -> Result<Option<Outcome>, ProcessError> {
    let mut timings = Timings { queue_ms: milliseconds(seconds_between(job.submitted_at, received_at)), ..Timings::default() };
    let begin = Instant::now();
    let ready = async {
        let image = fetch(&workshop.s3, job, workshop.limits.max_image_bytes).await;
        let fetched = begin.elapsed().as_secs_f64();
        (image, fetched, workshop.cpu.acquire().await)
    };
    let Some((image, fetch_seconds, cpu)) = workshop.drain.run_until_cancelled(ready).await else { return Ok(None) };
    // From here on the job is begun, and will be finished even when the worker drains.
    drop(place);
    workshop.metrics.stage("fetch", fetch_seconds);
    timings.fetch_ms = milliseconds(fetch_seconds);
    let outcome = match image {
        Ok(image) => classify_off_thread(workshop, image, &mut timings).await?,
        Err(error) => error.outcome().ok_or(error)?,
    };
    drop(cpu);
    let result = result(workshop, job, outcome, timings);
    let publish = Instant::now();
    workshop.publisher.publish(job, &result).await?;
    workshop.metrics.stage("publish", publish.elapsed().as_secs_f64());
    Ok(Some(result.outcome))
}

async fn classify_off_thread(workshop: &Workshop, image: Bytes, timings: &mut Timings) -> Result<Outcome, ProcessError> {
    let (model, max_pixels) = (std::sync::Arc::clone(&workshop.model), workshop.limits.max_pixels);
    let Classified { outcome, decode_seconds, infer_seconds } =
        tokio::task::spawn_blocking(move || classify(&model, &image, max_pixels)).await??;
    workshop.metrics.stage("decode", decode_seconds);
    workshop.metrics.stage("infer", infer_seconds);
    timings.decode_ms = milliseconds(decode_seconds);
    timings.infer_ms = milliseconds(infer_seconds);
    Ok(outcome)
}

fn result(workshop: &Workshop, job: &Job, outcome: Outcome, timings: Timings) -> JobResult {
    JobResult {
        id: job.id,
        name: job.name.clone(),
        outcome,
        model: workshop.model.reference(),
        revision: workshop.identity.revision.clone(),
        worker: workshop.identity.worker.clone(),
        submitted_at: job.submitted_at,
        finished_at: Timestamp::now(),
        timings,
    }
}

async fn done(workshop: &Workshop, job: &Job, message: &Message, outcome: &Outcome) -> Ending {
    if let Err(error) = workshop.queue.delete(message).await {
        tracing::warn!(job = %job.id, %error, "a job is done but its message could not be deleted, it will be done again");
    }
    match outcome {
        Outcome::Classified { label, .. } => tracing::info!(job = %job.id, label, receives = message.receives, "classified"),
        Outcome::Failed { code, message } => tracing::info!(job = %job.id, ?code, reason = message, "answered with an error"),
    }
    Ending::Done
}

async fn give_back(workshop: &Workshop, job: &Job, message: &Message) -> Ending {
    match workshop.queue.hide(message, Duration::ZERO).await {
        Ok(()) => tracing::info!(job = %job.id, "given back, as this worker leaves"),
        Err(error) => tracing::warn!(job = %job.id, %error, "could not be given back, it comes back when its visibility timeout ends"),
    }
    Ending::GivenBack
}

async fn retry(workshop: &Workshop, job: &Job, message: &Message, error: ProcessError) -> Ending {
    let delay = retry_after(message.receives);
    let reason = chain(&error);
    tracing::warn!(job = %job.id, receives = message.receives, retry_in_seconds = delay.as_secs(), error = reason, "a job failed, to be tried again");
    if let Err(error) = workshop.queue.hide(message, delay).await {
        tracing::warn!(job = %job.id, %error, "could not be given back, it comes back when its visibility timeout ends");
    }
    Ending::Failed
}

/// How long a job that failed for reasons that may pass is left alone: longer each time, a minute at most. Without a
/// pause, a failure of seconds would use all its receives up and send it to the dead-letter queue.
fn retry_after(receives: u32) -> Duration {
    Duration::from_secs(u64::from(receives.clamp(1, 12)) * 5)
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
    use super::{retry_after, seconds_between};

    #[test]
    fn failures_wait_longer_each_time_and_a_minute_at_most() {
        let waits: Vec<u64> = [0, 1, 2, 3, 12, 1000].map(|receives| retry_after(receives).as_secs()).into();
        assert_eq!(waits, [5, 5, 10, 15, 60, 60]);
    }

    #[test]
    fn clocks_that_disagree_give_no_negative_wait() {
        let (early, late) = ("2026-11-21T10:00:00Z".parse().unwrap(), "2026-11-21T10:00:01.5Z".parse().unwrap());
        assert_eq!(seconds_between(early, late), 1.5);
        assert_eq!(seconds_between(late, early), 0.0);
    }
}
