//! Jobs on their way into the request queue: one alone leaves at once, many leave together.
//! Knows nothing of images or of who uploads.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wire::Job;

use crate::aws::{AwsError, Outgoing, Queue};

/// Senders that work side by side: while one waits for SQS, the next job does not.
const SENDERS: usize = 4;

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
pub(crate) struct JobSender(mpsc::Sender<Queued>);

/// The other end: what makes a [`JobSender`] work while it runs.
pub(crate) struct SendLoop {
    queue: Queue,
    jobs: Arc<Mutex<mpsc::Receiver<Queued>>>,
}

/// A sender into `queue` and its loop.
pub(crate) fn sender(queue: Queue) -> (JobSender, SendLoop) {
    let (into, jobs) = mpsc::channel(Queue::BATCH * SENDERS);
    (JobSender(into), SendLoop { queue, jobs: Arc::new(Mutex::new(jobs)) })
}

impl JobSender {
    /// Returns once SQS has the job.
    pub(crate) async fn send(&self, job: &Job) -> Result<(), SendError> {
        let body = job.to_message().map_err(Arc::new)?;
        let (done, sent) = oneshot::channel();
        let queued = Queued { message: Outgoing { id: job.id, body }, done };
        self.0.send(queued).await.map_err(|_| SendError::Stopped)?;
        sent.await.unwrap_or(Err(SendError::Stopped))
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
        send(queue, batch).await;
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
