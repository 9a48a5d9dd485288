//! Who waits for which result, in memory. Knows nothing of queues or S3: whoever has a result delivers it here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use uuid::Uuid;
use wire::JobResult;

type Slot = watch::Sender<Option<Arc<JobResult>>>;

/// All that wait in this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<HashMap<Uuid, Slot>>>);

/// One that waits for one result; dropping it is giving up.
#[derive(Debug)]
pub(crate) struct Waiter {
    id: Uuid,
    result: watch::Receiver<Option<Arc<JobResult>>>,
    registry: Registry,
}

impl Registry {
    /// Begins to wait for `id`. Many may wait for the same.
    pub(crate) fn wait(&self, id: Uuid) -> Waiter {
        let result = self.slots().entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        Waiter { id, result, registry: self.clone() }
    }

    /// Hands a result to all that wait for it; false when nobody does.
    pub(crate) fn deliver(&self, result: JobResult) -> bool {
        match self.slots().get(&result.id) {
            Some(slot) => slot.send(Some(Arc::new(result))).is_ok(),
            None => false,
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Uuid, Slot>> {
        // No code that holds the lock can leave the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Id of the job waited for.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// The result, if it is delivered already.
    pub(crate) fn delivered(&self) -> Option<Arc<JobResult>> {
        self.result.borrow().clone()
    }

    /// Waits until the result is delivered. May be dropped and called again.
    pub(crate) async fn result(&mut self) -> Arc<JobResult> {
        loop {
            if let Some(result) = self.result.borrow_and_update().clone() {
                return result;
            }
            if self.result.changed().await.is_err() {
                // The slot lives as long as this waiter does.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut slots = self.registry.slots();
        if slots.get(&self.id).is_some_and(|slot| slot.receiver_count() <= 1) {
            slots.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn result(id: Uuid) -> JobResult {
        serde_json::from_value(serde_json::json!({
            "id": id, "name": "a.jpg", "status": "Classified", "label": "Paul", "predictions": [],
            "model": {"name": "m", "version": "1"}, "revision": "r", "worker": "i-0",
            "submittedAt": "2026-01-02T03:04:05Z", "finishedAt": "2026-01-02T03:04:06Z",
            "timings": {"queueMs": 1.0, "fetchMs": 1.0, "decodeMs": 1.0, "inferMs": 1.0},
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn all_that_wait_for_an_id_get_its_result_and_others_do_not() {
        let (registry, id) = (Registry::default(), Uuid::now_v7());
        let (mut one, mut two, mut other) = (registry.wait(id), registry.wait(id), registry.wait(Uuid::now_v7()));
        assert!(registry.deliver(result(id)));
        assert_eq!(one.result().await.id, id);
        assert_eq!(two.result().await.id, id);
        assert!(futures::FutureExt::now_or_never(other.result()).is_none());
    }

    #[tokio::test]
    async fn who_gives_up_leaves_nothing_behind() {
        let (registry, id) = (Registry::default(), Uuid::now_v7());
        let (one, two) = (registry.wait(id), registry.wait(id));
        drop(one);
        assert_eq!(registry.slots().len(), 1);
        drop(two);
        assert!(registry.slots().is_empty());
        assert!(!registry.deliver(result(id)));
    }
}
