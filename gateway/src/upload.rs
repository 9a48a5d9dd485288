//! One image from its bytes to its result: into S3, into the queue, then waiting. Knows nothing of HTTP.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use service::traces::{TraceContext, failed};
use tokio::time::Instant;
use tracing::Instrument as _;
use uuid::Uuid;
use wire::{Job, JobResult, ObjectKeys, Outcome};

use crate::answer;
use crate::aws::Bucket;
use crate::content::Content;
use crate::core::{Core, Slot};
use crate::digest::Digest;
use crate::idempotency::Key;
use crate::identity::{Identity, Known, identify};
use crate::metrics::{CLASSIFIED, Measured};
use crate::refusal::Refusal;
use crate::registry::Waiter;
use crate::sniff::{ImageFormat, sniff};
use crate::spans;
use crate::waiting::Awaited;

/// Pauses between looks into S3 for a result whose announcement does not come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    /// The first; each is twice the one before.
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Looks {
    /// Where the announcement comes to this replica, and S3 is for when it is lost.
    pub(crate) const ANNOUNCED: Self = Self { first: Duration::from_secs(5), longest: Duration::from_secs(30) };
}

/// One uploaded file, received in full.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name, cleaned.
    pub(crate) name: String,
    pub(crate) content: Content,
    pub(crate) slot: Slot,
}

/// What belongs to the request that an image came with.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// When the request came.
    pub(crate) at: std::time::Instant,
    /// The trace that its client made it in.
    pub(crate) trace: Option<TraceContext>,
    /// What its client calls it, to be able to send it again.
    pub(crate) key: Option<Key>,
}

/// An image that is accepted or refused.
#[derive(Debug)]
pub(crate) struct Submitted {
    pub(crate) name: String,
    pub(crate) ticket: Result<Ticket, Refusal>,
    measured: Measured,
}

/// An accepted image: it has an id, and its place until its result is known.
#[derive(Debug)]
pub(crate) struct Ticket {
    waiter: Waiter,
    /// Of the image's bytes, when its answer is to be kept for them.
    digest: Option<Digest>,
    /// None when the result was known before the image came.
    _awaited: Option<Awaited>,
    _slot: Slot,
}

impl Ticket {
    pub(crate) fn id(&self) -> Uuid {
        self.waiter.id()
    }
}

/// An image and what is known of it when its uploader is answered.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) fate: Fate,
}

/// What became of an image.
#[derive(Debug)]
pub(crate) enum Fate {
    Classified(Arc<JobResult>),
    Pending(Uuid),
    Refused(Refusal),
}

/// Stores and queues one file, the one at `place` of its request. Only when both are done does its id exist.
pub(crate) async fn submit(core: &Core, file: File, origin: &Origin, place: usize) -> Submitted {
    let name = file.name.clone();
    let mut measured = core.metrics.upload(origin.at);
    let ticket = try_submit(core, file, origin, place).await;
    if let Err(refusal) = &ticket {
        measured.refused(refusal.class().1);
    }
    Submitted { name, ticket, measured }
}

async fn try_submit(core: &Core, file: File, origin: &Origin, place: usize) -> Result<Ticket, Refusal> {
    let File { name, content, slot } = file;
    let format = image_format(&name, content.head())?;
    let Identity { id, digest, known } = identify(core, origin, place, &name, &content).await?;
    // Before the image is in S3: a worker that must boot cannot begin too soon.
    let awaited = matches!(known, Known::New | Known::Stored).then(|| core.waiting.begin(id));
    // Before the job is sent: its result may come at once.
    let ticket = Ticket { waiter: core.registry.wait(id), digest, _awaited: awaited, _slot: slot };
    let key = ObjectKeys::new(id, &name).input;
    match known {
        Known::Finished { result, stored } => {
            if !stored {
                store(core, &key, &name, &content, format).await?;
            }
            core.registry.deliver(result);
            return Ok(ticket);
        }
        Known::Answer(result) => {
            // The image last: a result without its image shows nowhere, an image without its result would seem to wait for ever.
            core.store.put_result(&result, core.by_name()).await.map_err(Arc::new)?;
            store(core, &key, &name, &content, format).await?;
            core.registry.deliver(result);
            return Ok(ticket);
        }
        Known::Stored if core.jobs.has_sent(id) => return Ok(ticket),
        Known::Stored => {}
        Known::New => store(core, &key, &name, &content, format).await?,
    }
    let image = content.in_memory().filter(|bytes| bytes.len() <= core.settings.inline_bytes as usize).cloned();
    // What rides in the message is held until that is sent; the rest gives its room back.
    let _content = image.is_some().then_some(content);
    let job = Job {
        id,
        name: name.clone(),
        bucket: core.store.input_bucket().to_owned(),
        key,
        reply_to: core.settings.reply_queue.clone(),
        submitted_at: Timestamp::now(),
        traceparent: None,
        tracestate: None,
        by_name: core.by_name(),
        image,
    };
    let (shown, span) = (answer::pending(id, &job.name), spans::send(&core.settings.request_queue, id));
    let sent = queue(core, job, origin, TraceContext::of(&span)).instrument(span.clone()).await;
    sent.inspect_err(|refusal| failed(&span, refusal.class().1))?;
    core.events.accepted(&shown);
    tracing::debug!(job = %id, name, "an image was accepted");
    Ok(ticket)
}

/// Puts the image into S3, under its name as well where that is wished.
async fn store(core: &Core, key: &str, name: &str, content: &Content, format: ImageFormat) -> Result<(), Refusal> {
    let by_name = async {
        match core.by_name() {
            true => core.store.put(name, content, format.media_type()).await,
            false => Ok(()),
        }
    };
    let stored = tokio::try_join!(core.store.put(key, content, format.media_type()), by_name);
    Ok(stored.map(drop).map_err(Arc::new)?)
}

/// Sends the job. An image whose job cannot be sent has no id, and would be listed as waiting for ever: it is taken away again, unless
/// its request can come again and find it. Workers go on with `trace`, or else with the client's.
async fn queue(core: &Core, mut job: Job, origin: &Origin, trace: Option<TraceContext>) -> Result<(), Refusal> {
    let trace = trace.as_ref().or(origin.trace.as_ref());
    job.traceparent = trace.map(TraceContext::traceparent);
    job.tracestate = trace.and_then(TraceContext::tracestate);
    let sent = core.jobs.send(&job).await;
    if sent.is_err() && origin.key.is_none() {
        let (store, key) = (core.store.clone(), job.key.clone());
        core.tasks.spawn(async move {
            if let Err(error) = store.delete(Bucket::Input, &key).await {
                tracing::debug!(key, %error, "an image without a job stays in its bucket");
            }
        });
    }
    Ok(sent?)
}

fn image_format(name: &str, head: &[u8]) -> Result<ImageFormat, Refusal> {
    if head.is_empty() {
        return Err(Refusal::Empty { name: name.to_owned() });
    }
    sniff(head).map_err(|found| Refusal::NotAnImage { name: name.to_owned(), found })
}

impl Submitted {
    /// Waits for the result, until the request's time is over.
    pub(crate) async fn result(self, core: &Core, origin: &Origin) -> Image {
        let Self { name, ticket, measured } = self;
        let fate = match ticket {
            Ok(ticket) => {
                let span = spans::wait(ticket.id());
                wait(core, ticket, &name, origin, measured).instrument(span).await
            }
            Err(refusal) => Fate::Refused(refusal),
        };
        Image { name, fate }
    }
}

/// What can be said of an image now. It keeps its place and is counted once its result is known.
pub(crate) fn follow(core: &Arc<Core>, submitted: Submitted, origin: &Origin) -> Image {
    let Submitted { name, ticket, measured } = submitted;
    let fate = match ticket {
        Err(refusal) => Fate::Refused(refusal),
        Ok(ticket) => {
            let (id, delivered) = (ticket.id(), ticket.waiter.delivered());
            let (core, name, origin) = (Arc::clone(core), name.clone(), origin.clone());
            let tasks = core.tasks.clone();
            tasks.spawn(async move { wait(&core, ticket, &name, &origin, measured).await });
            // What failed is told to who asks for it: accepted it was.
            delivered.filter(|result| matches!(result.outcome, Outcome::Classified { .. })).map_or(Fate::Pending(id), Fate::Classified)
        }
    };
    Image { name, fate }
}

async fn wait(core: &Core, ticket: Ticket, name: &str, origin: &Origin, mut measured: Measured) -> Fate {
    let fate = match awaited(core, ticket, name, origin).await {
        Ok(result) => Fate::Classified(result),
        Err(refusal) => Fate::Refused(refusal),
    };
    measure(&fate, &mut measured);
    fate
}

async fn awaited(core: &Core, mut ticket: Ticket, name: &str, origin: &Origin) -> Result<Arc<JobResult>, Refusal> {
    let (id, name, timeout) = (ticket.id(), name.to_owned(), core.settings.request_timeout());
    let deadline = Instant::from_std(origin.at + timeout);
    let result = tokio::select! {
        result = result(core, &mut ticket.waiter, &name, deadline, Looks::ANNOUNCED) => result,
        () = core.leaving.cancelled() => return Err(Refusal::Leaving { id, name }),
    };
    let result = result.ok_or(Refusal::Late { id, name, seconds: timeout.as_secs() })?;
    core.events.finished(id, || answer::finished(&result));
    core.cache.learn(ticket.digest, &result, std::time::Instant::now());
    match &result.outcome {
        Outcome::Classified { .. } => Ok(result),
        Outcome::Failed { code, message } => Err(Refusal::Failed { id, code: *code, message: message.clone() }),
    }
}

/// Whether there is a result.
fn measure(fate: &Fate, measured: &mut Measured) {
    match fate {
        Fate::Classified(_) => measured.answered(CLASSIFIED),
        Fate::Refused(refusal @ Refusal::Failed { .. }) => measured.answered(refusal.class().1),
        Fate::Refused(refusal) => measured.refused(refusal.class().1),
        Fate::Pending(_) => {}
    }
}

/// The result, as soon as it is announced or seen in S3; none at the deadline.
pub(crate) async fn result(core: &Core, waiter: &mut Waiter, name: &str, deadline: Instant, looks: Looks) -> Option<Arc<JobResult>> {
    let (id, mut pause) = (waiter.id(), looks.first);
    loop {
        let look = async {
            tokio::time::sleep(pause).await;
            core.store.result(id, name).await
        };
        tokio::select! {
            biased;
            result = waiter.result() => return Some(result),
            () = tokio::time::sleep_until(deadline) => return None,
            seen = look => match seen {
                Ok(Some(result)) => return Some(Arc::new(result)),
                Ok(None) => {}
                Err(error) => tracing::debug!(job = %id, %error, "S3 could not be asked for a result"),
            },
        }
        pause = (pause * 2).min(looks.longest);
    }
}
