//! Results that were read before: they do not change any more, so that lists need not read them again. Bounded.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use uuid::Uuid;
use wire::{ErrorCode, JobResult, Outcome};

/// Results that are remembered: five lists of the longest kind, some MB.
const REMEMBERED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(999);

/// Finished jobs by their ids.
#[derive(Debug)]
pub(crate) struct Finished(Mutex<LruCache<Uuid, Arc<JobResult>>>);

impl Default for Finished {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Finished {
    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<JobResult>> {
        self.results().get(&id).cloned()
    }

    /// Remembers a result, unless another may take its place: one whose job lies in the dead-letter queue, from where it may be sent again.
    pub(crate) fn learn(&self, result: Arc<JobResult>) -> Arc<JobResult> {
        if !matches!(result.outcome, Outcome::Failed { code: ErrorCode::RetriesExhausted, .. }) {
            self.results().put(result.id, Arc::clone(&result));
        }
        result
    }

    pub(crate) fn forget(&self, id: Uuid) {
        self.results().pop(&id);
    }

    fn results(&self) -> MutexGuard<'_, LruCache<Uuid, Arc<JobResult>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
