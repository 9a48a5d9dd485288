//! What all requests of a replica share. Holds the parts; what is done with them is elsewhere.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::aws::Store;
use crate::cache::ResultCache;
use crate::content::Room;
use crate::events::Hub;
use crate::fleet::Fleet;
use crate::jobs::JobSender;
use crate::listing::Finished;
use crate::metrics::Metrics;
use crate::rate::retry_after;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::settings::{KeyStyle, Settings};
use crate::waiting::Waiting;

/// The parts of a replica.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) jobs: JobSender,
    pub(crate) registry: Registry,
    /// The images accepted here whose result somebody waits for.
    pub(crate) waiting: Waiting,
    /// Answers kept for images of the same bytes.
    pub(crate) cache: ResultCache,
    /// Results that lists showed.
    pub(crate) finished: Finished,
    pub(crate) metrics: Metrics,
    /// What happens, for those who listen.
    pub(crate) events: Hub,
    pub(crate) fleet: Fleet,
    /// Where images are kept until they are in S3.
    pub(crate) room: Room,
    /// What goes on after an answer was given, joined at the end.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when uploads that still wait must be answered without their result.
    pub(crate) leaving: CancellationToken,
    pending: Arc<Semaphore>,
}

/// A place among the `maxPending` images that may wait; dropping it frees it.
#[derive(Debug)]
pub(crate) struct Slot {
    gauge: IntGauge,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

impl Core {
    pub(crate) fn new(settings: Settings, store: Store, jobs: JobSender, metrics: Metrics) -> Self {
        // One image must fit, or it would wait for ever.
        let disk = settings.max_spool_bytes.max(settings.max_upload_bytes.saturating_mul(2));
        let folder = settings.spool_dir.clone().unwrap_or_else(std::env::temp_dir);
        Self {
            pending: Arc::new(Semaphore::new(settings.max_pending as usize)),
            room: Room::new(settings.max_buffered_bytes, disk, folder),
            registry: Registry::default(),
            waiting: Waiting::default(),
            events: Hub::new(settings.max_event_streams, metrics.event_streams.clone()),
            fleet: Fleet::new(&settings),
            cache: ResultCache::new(settings.cache_entries, Duration::from_secs(settings.cache_ttl_seconds)),
            finished: Finished::default(),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
            settings,
            store,
            jobs,
            metrics,
        }
    }

    /// Whether images and answers lie under their names, too.
    pub(crate) fn by_name(&self) -> bool {
        self.settings.key_style == KeyStyle::Name
    }

    /// A place for one more image.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when `maxPending` images wait already.
    pub(crate) fn slot(&self) -> Result<Slot, Refusal> {
        let permit = Arc::clone(&self.pending).try_acquire_owned();
        let _permit = permit.map_err(|_| self.busy())?;
        self.metrics.pending.inc();
        Ok(Slot { gauge: self.metrics.pending.clone(), _permit })
    }

    fn busy(&self) -> Refusal {
        let limit = self.settings.max_pending;
        let waiting = limit.saturating_sub(u32::try_from(self.pending.available_permits()).unwrap_or(limit));
        Refusal::Busy { limit, retry_seconds: retry_after(waiting, limit, self.events.results().last_minute()) }
    }
}
