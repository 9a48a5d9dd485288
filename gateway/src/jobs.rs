//! Jobs on their way into the request queue: one alone leaves at once, many leave together, small images with them.
//! Knows nothing of images or of who uploads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};

use lru::LruCache;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::{Job, SMALLEST_MESSAGE_LIMIT, batches};

use crate::aws::{AwsError, Outgoing, Queue};

/// Senders that work side by side: while one waits for SQS, the next job does not. More would only send smaller batches.
const SENDERS: usize = 2;
/// Jobs that are known to have been sent; one that is forgotten is sent again when its request is, and done twice.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Why a job did not get into the queue.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SendError {
    /// SQS could not be asked.
    #[error(transparent)]
    Aws(#[from] Arc<AwsError>),
    /// SQS took others of the batch, but not this one.
    #[error("the request queue refused the job: {0}")]
    Refused(String),
    /// The job is too long for a message.
    #[error(transparent)]
    Job(#[from] Arc<wire::JobError>),
    /// The gateway is stopping.
    #[error("the gateway is stopping and takes no more jobs")]
    Stopped,
}

struct Queued {
    message: Outgoing,
    done: oneshot::Sender<Result<(), SendError>>,
}

/// Puts jobs into the request queue.
#[derive(Debug, Clone)]
pub(crate) struct JobSender {
    into: mpsc::Sender<Queued>,
    /// Bytes of the largest message that the queue is known to take, or not known to refuse.
    largest: Arc<AtomicUsize>,
    sent: Arc<Lock<LruCache<Uuid, ()>>>,
}

/// The other end: what makes a [`JobSender`] work while it runs.
pub(crate) struct SendLoop {
    queue: Queue,
    jobs: Arc<Mutex<mpsc::Receiver<Queued>>>,
}

/// A sender into `queue`, which takes messages of up to `largest` bytes, and its loop.
pub(crate) fn sender(queue: Queue, largest: usize) -> (JobSender, SendLoop) {
    let (into, jobs) = mpsc::channel(Queue::BATCH * SENDERS);
    let sent = Arc::new(Lock::new(LruCache::new(REMEMBERED)));
    (JobSender { into, largest: Arc::new(largest.into()), sent }, SendLoop { queue, jobs: Arc::new(Mutex::new(jobs)) })
}

impl JobSender {
    /// Returns once SQS has the job, with its image where that fits.
    pub(crate) async fn send(&self, job: &Job) -> Result<(), SendError> {
        let body = job.to_message(self.largest.load(Ordering::Relaxed)).map_err(Arc::new)?;
        let bytes = body.len();
        match self.queue(job, body).await {
            Err(SendError::Refused(reason)) if bytes > SMALLEST_MESSAGE_LIMIT => {
                // Somebody allows the queue less than the gateway was told.
                self.largest.fetch_min(bytes - 1, Ordering::Relaxed);
                tracing::warn!(job = %job.id, bytes, reason, "the request queue refused a job with its image; it goes without");
                self.queue(job, job.to_message(SMALLEST_MESSAGE_LIMIT).map_err(Arc::new)?).await
            }
            outcome => outcome,
        }
    }

    /// Whether this replica is known to have sent the job.
    pub(crate) fn has_sent(&self, id: Uuid) -> bool {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    async fn queue(&self, job: &Job, body: String) -> Result<(), SendError> {
        let (done, sent) = oneshot::channel();
        let queued = Queued { message: Outgoing { id: job.id, body }, done };
        self.into.send(queued).await.map_err(|_| SendError::Stopped)?;
        sent.await.unwrap_or(Err(SendError::Stopped))?;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).put(job.id, ());
        Ok(())
    }
}

impl SendLoop {
    /// Sends until `stop`, after which nothing waits in it any more.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let senders = (0..SENDERS).map(|_| send_until(&self.queue, &self.jobs, &stop));
        futures::future::join_all(senders).await;
    }
}

async fn send_until(queue: &Queue, jobs: &Mutex<mpsc::Receiver<Queued>>, stop: &CancellationToken) {
    loop {
        let mut batch = Vec::with_capacity(Queue::BATCH);
        let next = async { jobs.lock().await.recv_many(&mut batch, Queue::BATCH).await };
        let received = tokio::select! {
            received = next => received,
            () = stop.cancelled() => 0,
        };
        if received == 0 {
            return;
        }
        futures::future::join_all(batches(batch, |queued| queued.message.body.len()).into_iter().map(|batch| send(queue, batch))).await;
    }
}

async fn send(queue: &Queue, batch: Vec<Queued>) {
    let (messages, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|queued| (queued.message, queued.done)).unzip();
    let outcome = queue.send(&messages).await.map_err(Arc::new);
    for (place, done) in waiting.into_iter().enumerate() {
        let result = match &outcome {
            Err(error) => Err(SendError::Aws(Arc::clone(error))),
            Ok(refused) => match refused.iter().find(|(at, _)| *at == place) {
                Some((_, reason)) => Err(SendError::Refused(reason.clone())),
                None => Ok(()),
            },
        };
        // Nobody listens when the uploader is gone; the job is done nevertheless.
        let _ = done.send(result);
    }
}
