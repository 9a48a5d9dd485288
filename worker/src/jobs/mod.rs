//! The worker's loop: receives jobs and does them, many at a time, until it is told to drain.
//!
//! receive → fetch → decode and infer → store → reply → delete. Stages of different jobs overlap, so that the CPU infers all
//! the time; each is bounded: messages by [`room`], bytes by [`image`], pixels and threads by [`cpu`].

mod batch;
mod breaker;
mod classify;
mod cpu;
mod hold;
mod image;
mod isolated;
mod pace;
mod process;
mod publish;
mod queue;
mod receive;
mod room;
mod spans;
mod work;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client as S3;
use service::monitor::Readiness;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::metrics::Metrics;
use batch::{Batcher, Loop, batcher};
use breaker::Breaker;
pub use breaker::until_reached;
pub use classify::{Classified, ClassifyError, classify};
pub use cpu::Cpu;
use hold::Hold;
use image::Images;
pub use isolated::Isolation;
pub use pace::Pace;
pub use publish::Publisher;
use publish::Reply;
use queue::{MAX_BATCH, Receipt};
pub use queue::{Queue, QueueError};
use receive::{Held, receive};
use room::Room;

/// An answer may wait so long for others, while there are others.
const REPLIES_LINGER: Duration = Duration::from_millis(250);
/// Nobody waits for a deletion. What is not deleted when the worker dies is done again.
const DELETES_LINGER: Duration = Duration::from_millis(500);
/// What is given back, is so mostly all at once.
const HIDES_LINGER: Duration = Duration::from_millis(20);

/// Who answers.
#[derive(Debug, Clone)]
pub struct Identity {
    /// EC2 instance id.
    pub worker: String,
    /// Revision of the fleet.
    pub revision: String,
}

/// What is refused, and what waits.
#[derive(Debug, Clone, Copy)]
pub struct ImageLimits {
    /// Most bytes of an image object.
    pub max_bytes: u64,
    /// Most bytes of images that were fetched and are not decoded; further ones wait in S3.
    pub max_buffered_bytes: u64,
}

/// All that jobs are done with.
#[derive(Debug)]
pub struct Workshop {
    /// Where jobs come from.
    pub queue: Arc<Queue>,
    /// Where images lie.
    pub s3: S3,
    /// Where results go.
    pub publisher: Publisher,
    /// What classifies.
    pub cpu: Cpu,
    /// What classifies an image that may have ended a worker before; none: the same as others.
    pub isolation: Option<Isolation>,
    /// Who answers.
    pub identity: Identity,
    /// What is refused.
    pub limits: ImageLimits,
    /// How quick this worker is.
    pub pace: Arc<Pace>,
    /// Cancelled when nothing new may begin.
    pub drain: CancellationToken,
    /// Told of every job that is held.
    pub activity: Activity,
    /// Told when S3 cannot be reached.
    pub readiness: Readiness,
    /// What is counted.
    pub metrics: Metrics,
}

/// A workshop at work: what its jobs share.
#[derive(Debug)]
struct Line {
    workshop: Arc<Workshop>,
    images: Images,
    room: Room,
    hold: Arc<Hold>,
    breaker: Breaker,
    replies: Batcher<Reply>,
    deletes: Batcher<Receipt>,
    hides: Batcher<(Receipt, Duration)>,
}

/// The calls that take many jobs at once.
struct Calls {
    replies: Loop<Reply>,
    deletes: Loop<Receipt>,
    hides: Loop<(Receipt, Duration)>,
}

/// Does jobs until `workshop.drain` is cancelled and all that has begun is finished.
///
/// # Errors
/// When a job's task panicked: the worker is broken and should be started anew.
pub async fn serve(workshop: Arc<Workshop>) -> Result<(), JoinError> {
    let (line, calls) = Line::new(Arc::clone(&workshop));
    let hold = Arc::clone(&line.hold);
    let calling = async {
        calls.run(&workshop).await;
        Ok(())
    };
    tokio::select! {
        ended = async { tokio::try_join!(work(Arc::new(line)), calling).map(drop) } => ended,
        never = hold.run() => match never {},
    }
}

impl Line {
    fn new(workshop: Arc<Workshop>) -> (Self, Calls) {
        let (replies, reply_calls) = batcher(REPLIES_LINGER, publish::is_full);
        let (deletes, delete_calls) = batcher(DELETES_LINGER, |batch| batch.len() >= MAX_BATCH);
        let (hides, hide_calls) = batcher(HIDES_LINGER, |batch| batch.len() >= MAX_BATCH);
        let ImageLimits { max_bytes, max_buffered_bytes } = workshop.limits;
        let line = Self {
            images: Images::new(workshop.s3.clone(), max_bytes, max_buffered_bytes),
            room: Room::new(),
            hold: Arc::new(Hold::new(Arc::clone(&workshop.queue))),
            breaker: Breaker::new(workshop.s3.clone(), workshop.readiness.clone()),
            workshop,
            replies,
            deletes,
            hides,
        };
        (line, Calls { replies: reply_calls, deletes: delete_calls, hides: hide_calls })
    }
}

impl Calls {
    /// Until the line is gone.
    async fn run(self, workshop: &Arc<Workshop>) {
        let Self { replies, deletes, hides } = self;
        let announce = |batch: Vec<Reply>| {
            let workshop = Arc::clone(workshop);
            async move { workshop.publisher.announce(batch).await }
        };
        let delete = |batch: Vec<Receipt>| delete(Arc::clone(&workshop.queue), batch);
        let hide = |batch: Vec<(Receipt, Duration)>| hide(Arc::clone(&workshop.queue), batch);
        tokio::join!(replies.run(announce), deletes.run(delete), hides.run(hide));
    }
}

async fn delete(queue: Arc<Queue>, batch: Vec<Receipt>) {
    match queue.delete(&batch).await {
        Ok(refused) => {
            let tell = |(_, reason)| tracing::warn!(reason, "a job is done but its message could not be deleted, it will be done again");
            refused.into_iter().for_each(tell);
        }
        Err(error) => {
            tracing::warn!(jobs = batch.len(), %error, "jobs are done but their messages could not be deleted, they will be done again")
        }
    }
}

async fn hide(queue: Arc<Queue>, batch: Vec<(Receipt, Duration)>) {
    match queue.hide(&batch).await {
        Ok(refused) => {
            let tell =
                |(_, reason)| tracing::warn!(reason, "a job could not be given back, it comes back when its visibility timeout ends");
            refused.into_iter().for_each(tell);
        }
        Err(error) => {
            tracing::warn!(jobs = batch.len(), %error, "jobs could not be given back, they come back when their visibility timeout ends");
        }
    }
}

/// Receives, with a task for each message; ends when no more are received and all tasks have ended.
async fn work(line: Arc<Line>) -> Result<(), JoinError> {
    #[expect(clippy::disallowed_methods, reason = "the line's room bounds what is under way")]
    let (sender, mut messages) = mpsc::unbounded_channel::<Held>();
    let mut tasks = JoinSet::new();
    for _ in 0..line.workshop.pace.pollers() {
        let (line, sender) = (Arc::clone(&line), sender.clone());
        tasks.spawn(async move { receive(&line, sender, &line.workshop.drain).await });
    }
    drop(sender);
    loop {
        tokio::select! {
            message = messages.recv() => match message {
                Some(held) => {
                    let line = Arc::clone(&line);
                    tasks.spawn(async move { process::process(&line, held).await });
                }
                None => break,
            },
            Some(ended) = tasks.join_next() => ended?,
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    Ok(())
}
