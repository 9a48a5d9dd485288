//! One message from its receipt to its end. It is deleted last: a worker that dies anywhere before loses nothing, the job is
//! done again and its result written again under the same key.

use std::time::Duration;

use jiff::Timestamp;
use service::traces::failed;
use tracing::Instrument as _;
use wire::{ErrorCode, Job, JobResult, Outcome, Timings};

use super::batch::Expected;
use super::image::ImageError;
use super::publish::{PublishError, Reply, reply};
use super::queue::{Message, Receipt};
use super::receive::Held;
use super::spans;
use super::work::{Done, Work, WorkError, result};
use super::{Line, Workshop};
use crate::cause::chain;
use crate::metrics::DONE;

/// Pauses before a job that SQS delivers to nobody any more is tried again here, while S3 cannot be reached; then it is given up.
const LAST_PAUSES: [u64; 8] = [1, 2, 4, 8, 15, 30, 30, 30];

/// How a message ended here.
#[derive(Debug, Clone, Copy)]
enum Ending {
    /// The result is published, the message deleted.
    Done,
    /// Draining: given back before it began.
    GivenBack,
    /// Not a job.
    NotAJob,
    /// Something failed that may pass: tried again later, here or elsewhere.
    Failed,
    /// It failed for the last time: its uploader is told, and SQS moves it to the dead-letter queue.
    Exhausted,
}

impl Ending {
    /// The metric's label.
    fn label(self) -> &'static str {
        match self {
            Self::Done => DONE,
            Self::GivenBack => "given_back",
            Self::NotAJob => "not_a_job",
            Self::Failed => "failed",
            Self::Exhausted => "exhausted",
        }
    }
}

/// The batches that the end of a job may join.
struct Batches {
    reply: Expected,
    delete: Expected,
}

/// Does one job.
pub(super) async fn process(line: &Line, held: Held) {
    let metrics = &line.workshop.metrics;
    let _busy = line.workshop.activity.begin();
    metrics.held.inc();
    let ending = end(line, held).await;
    metrics.held.dec();
    metrics.ended(ending.label());
}

async fn end(line: &Line, mut held: Held) -> Ending {
    let (received_at, message) = (Timestamp::now(), &mut held.message);
    // With an image in it, it is worth to be dropped soon.
    let job = match Job::from_message(&std::mem::take(&mut message.body)) {
        Ok(job) => job,
        Err(error) => {
            // Left hidden until its timeout ends: given back at once it would be received again at once, by all workers
            // in turn, until the redrive policy takes it. Deleted, nobody could find out who sent it.
            tracing::error!(message = message.id, receives = message.receives, %error, "a message is no job, left to the dead-letter queue");
            return Ending::NotAJob;
        }
    };
    let Workshop { queue, identity, .. } = &*line.workshop;
    let span = spans::process(queue.name(), message, &job, &identity.worker);
    let ending = end_job(line, &job, held, received_at).instrument(span.clone()).await;
    span.record("classifierfleet.ending", ending.label());
    if let Ending::Failed | Ending::Exhausted = ending {
        failed(&span, ending.label());
    }
    ending
}

async fn end_job(line: &Line, job: &Job, held: Held, received_at: Timestamp) -> Ending {
    let Held { message, place, kept, reply, delete } = held;
    let last = line.workshop.queue.is_last_receive(&message).await;
    // What ended a worker comes back, together with the others that the worker had; none of them must end the next one for ever.
    let isolation = line.workshop.isolation.as_ref().filter(|_| last && message.receives > 1);
    let mut work = Work { line, job, received_at, place, last, isolation };
    let outcome = attempt(line, &mut work).await;
    let batches = Batches { reply, delete };
    match outcome {
        Ok(Some(finished)) => {
            line.breaker.worked();
            // Kept hidden until it is deleted.
            done(line, job, &message, finished, batches).await;
            drop(kept);
            Ending::Done
        }
        Ok(None) => {
            drop((kept, batches));
            tracing::info!(job = %job.id, "given back, as this worker leaves");
            line.hides.put((message.receipt, Duration::ZERO), None).await;
            Ending::GivenBack
        }
        Err(error) if last => {
            exhausted(line, job, &message, &error, batches.reply).await;
            drop(kept);
            line.hides.put((message.receipt, Duration::ZERO), None).await;
            Ending::Exhausted
        }
        Err(error) => {
            drop((kept, batches));
            retry(line, job, message, &error).await;
            Ending::Failed
        }
    }
}

/// Tries once; what SQS would deliver to nobody again, also while S3 cannot be reached.
async fn attempt(line: &Line, work: &mut Work<'_>) -> Result<Option<Done>, WorkError> {
    let mut pauses = if work.last { LAST_PAUSES.iter() } else { [].iter() };
    loop {
        let failed = match work.run().await {
            Err(error) => error,
            finished => return finished,
        };
        let Some(bucket) = bucket(&failed) else { return Err(failed) };
        line.breaker.failed(bucket);
        let Some(pause) = pauses.next() else { return Err(failed) };
        tracing::warn!(job = %work.job.id, retry_in_seconds = pause, error = chain(&failed), "a job on its last receive failed, to be tried again here");
        let pause = tokio::time::sleep(Duration::from_secs(*pause));
        if line.workshop.drain.run_until_cancelled(pause).await.is_none() {
            return Err(failed);
        }
    }
}

/// The bucket that S3 failed with.
fn bucket(error: &WorkError) -> Option<&str> {
    match error {
        WorkError::Image(ImageError::S3 { bucket, .. }) | WorkError::Publish(PublishError::S3 { bucket, .. }) => Some(bucket),
        _ => None,
    }
}

async fn done(line: &Line, job: &Job, message: &Message, finished: Done, Batches { reply, delete }: Batches) {
    let Done { outcome, announcement } = finished;
    let (send, settle) = (spans::send(&announcement.queue, job.id), spans::settle(line.workshop.queue.name(), job.id));
    line.replies.put(announcement, Some(reply)).instrument(send).await;
    line.deletes.put(Receipt::clone(&message.receipt), Some(delete)).instrument(settle).await;
    match outcome {
        Outcome::Classified { label, .. } => tracing::info!(job = %job.id, label, receives = message.receives, "classified"),
        Outcome::Failed { code, message } => tracing::info!(job = %job.id, ?code, reason = message, "answered with an error"),
    }
}

/// The uploader is told as well as may be: by the result in S3, and by a reply even when S3 fails.
async fn exhausted(line: &Line, job: &Job, message: &Message, error: &WorkError, expected: Expected) {
    let receives = message.receives;
    tracing::error!(job = %job.id, receives, error = chain(error), "a job failed for the last time, it goes to the dead-letter queue");
    let outcome = Outcome::Failed {
        code: ErrorCode::RetriesExhausted,
        message: format!("the image could not be classified in {receives} tries, and is not known to be to blame; upload it again later"),
    };
    let result = result(line, job, outcome, Timings::default());
    let announcement = announcement(line, job, &result).await;
    if let Some(announcement) = announcement {
        let send = spans::send(&announcement.queue, job.id);
        line.replies.put(announcement, Some(expected)).instrument(send).await;
    }
}

async fn announcement(line: &Line, job: &Job, result: &JobResult) -> Option<Reply> {
    match line.workshop.publisher.store(job, result).await {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!(job = %job.id, error = chain(&error), "that a job failed could not be stored, it is announced only");
            reply(job, result).ok()
        }
    }
}

async fn retry(line: &Line, job: &Job, message: Message, error: &WorkError) {
    let delay = retry_after(message.receives);
    let reason = chain(error);
    tracing::warn!(job = %job.id, receives = message.receives, retry_in_seconds = delay.as_secs(), error = reason, "a job failed, to be tried again");
    line.hides.put((message.receipt, delay), None).await;
}

/// How long a job that failed for reasons that may pass is left alone: longer each time, a minute at most. Without a
/// pause, a failure of seconds would use all its receives up and send it to the dead-letter queue.
fn retry_after(receives: u32) -> Duration {
    Duration::from_secs(u64::from(receives.clamp(1, 12)) * 5)
}

#[cfg(test)]
mod tests {
    use super::retry_after;

    #[test]
    fn failures_wait_longer_each_time_and_a_minute_at_most() {
        let waits: Vec<u64> = [0, 1, 2, 3, 12, 1000].map(|receives| retry_after(receives).as_secs()).into();
        assert_eq!(waits, [5, 5, 10, 15, 60, 60]);
    }
}
