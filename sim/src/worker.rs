//! A worker's protocol, as the real one has it: boot, register by a tag, poll ten at a time and hold a second of work ahead, keep
//! messages hidden, publish, announce, delete last; drain by the tag `classifierfleet:intent`, a spot notice or a shutdown.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloudsim::state::Tags;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lock;
use crate::queue::{MAX_BATCH, Receipt, Received};
use crate::world::{Draw, World};

/// How often a worker reads its metadata.
const LOOKS_EVERY: Duration = Duration::from_secs(2);
/// Work that waits in a worker is begun within this time.
const AHEAD_SECONDS: f64 = 1.0;
const MOST_WAITING: usize = 256;

/// What a worker does, as seen from outside.
#[derive(Debug, Default)]
pub struct Activity {
    ready: AtomicBool,
    begun: AtomicUsize,
}

impl Activity {
    /// It takes jobs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// It has begun a job that is not done.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > 0
    }
}

/// One boot of one worker.
pub(crate) struct Life {
    pub(crate) world: Arc<World>,
    pub(crate) activity: Arc<Activity>,
    /// Take nothing new, finish, leave.
    pub(crate) drain: CancellationToken,
    /// The number of this boot.
    pub(crate) boot: u64,
}

/// What a worker holds.
#[derive(Debug, Default)]
struct Held {
    waiting: VecDeque<Received>,
    receipts: BTreeSet<Receipt>,
    idle_since: Option<Instant>,
    closed: bool,
}

struct Shop {
    world: Arc<World>,
    activity: Arc<Activity>,
    drain: CancellationToken,
    held: Mutex<Held>,
    /// Something waits, or nothing will any more.
    filled: Notify,
    /// Something was taken.
    taken: Notify,
}

impl Life {
    /// Boots, works and leaves. Dropped, it leaves nothing behind but messages that come back.
    pub(crate) async fn run(self, id: String, first: bool) {
        let Self { world, activity, drain, boot } = self;
        let pending = world.settings.cloud.pending_delay.as_secs_f64();
        let boots = if first { world.settings.worker.boot_cold } else { world.settings.worker.boot_warm };
        let seconds = (boots.sample(&mut world.rng(Draw::Boot(boot))) - pending).max(0.0);
        if drain.run_until_cancelled(tokio::time::sleep(Duration::from_secs_f64(seconds))).await.is_none() {
            return;
        }
        register(&world, &id);
        activity.ready.store(true, Ordering::Relaxed);
        let shop = Shop { world, activity, drain, held: Mutex::default(), filled: Notify::new(), taken: Notify::new() };
        lock(&shop.held).idle_since = Some(Instant::now());
        let work = async {
            let cores = (0..shop.world.settings.worker.parallelism.max(1)).map(|_| shop.work());
            futures::join!(shop.receive(), futures::future::join_all(cores));
        };
        tokio::select! {
            biased;
            () = work => {}
            () = shop.keep_hidden() => {}
            () = shop.watch(&id) => {}
        }
        shop.activity.ready.store(false, Ordering::Relaxed);
        shop.world.ec2.act(|cloud, now| ((), cloud.guest_powered_off(&id, now)));
    }
}

impl Shop {
    /// Receives until the drain; a poll that was sent is heard out.
    async fn receive(&self) {
        let most = self.most_waiting();
        while !self.drain.is_cancelled() {
            let taken = self.taken.notified();
            let room = most.saturating_sub(lock(&self.held).waiting.len());
            if room == 0 {
                self.drain.run_until_cancelled(taken).await;
                continue;
            }
            let received = self.world.requests.receive(room.min(MAX_BATCH), self.world.settings.worker.poll).await;
            let mut held = lock(&self.held);
            held.receipts.extend(received.iter().map(|message| message.receipt));
            held.waiting.extend(received);
            drop(held);
            self.filled.notify_waiters();
        }
        self.give_back();
        lock(&self.held).closed = true;
        self.filled.notify_waiters();
    }

    /// Shows others what was not begun. A job at its last receive would be lost to the dead letters: it is done.
    fn give_back(&self) {
        let max = self.world.requests.with(|queue, _| queue.settings().max_receives);
        let is_last = |message: &Received| max.is_some_and(|max| message.receives >= max);
        let mut held = lock(&self.held);
        let (last, others): (VecDeque<Received>, VecDeque<Received>) = std::mem::take(&mut held.waiting).into_iter().partition(is_last);
        held.waiting = last;
        for message in others {
            held.receipts.remove(&message.receipt);
            // Deleted or received by another meanwhile: then it is theirs.
            let _ = self.world.requests.hide(message.receipt, SignedDuration::ZERO);
        }
    }

    /// One core: one image after the other. Results are published while the next one is in work.
    async fn work(&self) {
        let mut publishing = JoinSet::new();
        loop {
            while publishing.try_join_next().is_some() {}
            let filled = self.filled.notified();
            let next = {
                let mut held = lock(&self.held);
                // Once closed, what is left waits for its last receive.
                let next = if self.drain.is_cancelled() && !held.closed { None } else { held.waiting.pop_front() };
                if next.is_none() && held.closed {
                    break;
                }
                held.idle_since = if next.is_some() { None } else { held.idle_since.or_else(|| Some(Instant::now())) };
                next
            };
            self.taken.notify_one();
            match next {
                Some(message) => self.classify(message, &mut publishing).await,
                None => filled.await,
            }
        }
        while publishing.join_next().await.is_some() {}
    }

    async fn classify(&self, message: Received, publishing: &mut JoinSet<()>) {
        self.activity.begun.fetch_add(1, Ordering::Relaxed);
        let id: u64 = message.body.parse().unwrap_or_default();
        let seconds = self.world.settings.worker.service.sample(&mut self.world.rng(Draw::Service(id)));
        tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
        self.activity.begun.fetch_sub(1, Ordering::Relaxed);
        lock(&self.held).receipts.remove(&message.receipt);
        let world = self.world.clone();
        publishing.spawn(async move {
            tokio::time::sleep(world.settings.worker.publish).await;
            world.gateway.announce(id);
            world.requests.delete(message.receipt);
        });
    }

    /// As many as are begun within a second, and one more than there are cores at least.
    fn most_waiting(&self) -> usize {
        let settings = &self.world.settings.worker;
        let (cores, mean) = (settings.parallelism.max(1), settings.service.mean().max(1e-6));
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a number of images, saturates
        let soon = (AHEAD_SECONDS * cores as f64 / mean) as usize;
        soon.clamp(cores + 1, MOST_WAITING.max(cores + 1))
    }

    /// Hides all that is held for another whole timeout each time a third of it is over.
    async fn keep_hidden(&self) {
        let timeout = self.world.requests.with(|queue, _| queue.settings().visibility);
        loop {
            tokio::time::sleep(Duration::try_from(timeout / 3).unwrap_or(LOOKS_EVERY)).await;
            let receipts = lock(&self.held).receipts.clone();
            for receipt in receipts {
                let _ = self.world.requests.hide(receipt, timeout);
            }
        }
    }

    /// Begins to drain when it is told to by tag or spot notice, or has been idle too long.
    async fn watch(&self, id: &str) {
        loop {
            let Seen { drain, keep, interrupted } = self.world.ec2.with(|endpoint| Seen::of(&endpoint.cloud, id));
            let idle = lock(&self.held).idle_since.is_some_and(|since| {
                let limit = self.world.settings.worker.idle_shutdown;
                !keep && limit.is_some_and(|limit| since.elapsed() >= limit)
            });
            if drain || interrupted || idle {
                self.drain.cancel();
                return std::future::pending().await;
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }
}

/// What a worker sees in its metadata.
struct Seen {
    drain: bool,
    keep: bool,
    interrupted: bool,
}

impl Seen {
    fn of(cloud: &cloudsim::state::Cloud, id: &str) -> Self {
        let instance = cloud.instance(id);
        // Where metadata does not serve changed tags, the real worker asks DescribeTags.
        let intent = instance.and_then(|instance| instance.tags.get(ec2::tags::INTENT)).map(String::as_str);
        Self {
            drain: intent == Some(ec2::tags::DRAIN),
            keep: intent == Some(ec2::tags::KEEP),
            interrupted: instance.is_some_and(|instance| instance.interrupted_at.is_some()),
        }
    }
}

/// Says that it is ready, and how quick it is.
fn register(world: &World, id: &str) {
    let worker = &world.settings.worker;
    #[allow(clippy::cast_precision_loss)] // a number of cores
    let rate = worker.parallelism.max(1) as f64 / worker.service.mean().max(1e-6);
    world.ec2.act(|cloud, now| {
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let rate = (rate * 10.0).round() / 10.0;
        let ready = serde_json::json!({ "at": at.to_string(), "imagesPerSecond": rate, "model": "simulated@1" });
        // One that is gone by now needs no tag.
        let _ = cloud.create_tags(&[id.to_owned()], &Tags::from([(ec2::tags::READY.to_owned(), ready.to_string())]), now);
        ((), Vec::new())
    });
}
