//! Answers kept for images of the same bytes, while workers of the same make would give the same ones. Bounded. Pure: time is an
//! argument; knows nothing of S3 or of who uploads.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lru::LruCache;
use wire::{JobResult, ModelRef, Outcome};

use crate::digest::Digest;

/// The answers of this replica; none are kept when it was made for none.
#[derive(Debug)]
pub(crate) struct ResultCache {
    kept: Option<Mutex<Kept>>,
    ttl: Duration,
}

#[derive(Debug)]
struct Kept {
    entries: LruCache<Digest, Entry>,
    /// What made the newest answer, and when. An answer of another make holds no longer: it is of before a roll-out, or a roll-back.
    newest: Option<(Timestamp, Make)>,
}

#[derive(Debug)]
struct Entry {
    result: Arc<JobResult>,
    since: Instant,
}

/// What must be the same for the same bytes to get the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Make {
    revision: String,
    model: ModelRef,
}

impl Make {
    fn of(result: &JobResult) -> Self {
        Self { revision: result.revision.clone(), model: result.model.clone() }
    }
}

impl ResultCache {
    /// A cache of at most `entries` answers, each of which holds for `ttl`.
    pub(crate) fn new(entries: u32, ttl: Duration) -> Self {
        let entries = NonZeroUsize::new(entries as usize);
        Self { kept: entries.map(|entries| Mutex::new(Kept { entries: LruCache::new(entries), newest: None })), ttl }
    }

    /// Whether answers are kept at all.
    pub(crate) fn is_on(&self) -> bool {
        self.kept.is_some()
    }

    /// The answer to an image of these bytes, if it still holds.
    pub(crate) fn get(&self, digest: Digest, now: Instant) -> Option<Arc<JobResult>> {
        let mut kept = self.kept.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { entries, newest } = &mut *kept;
        let entry = entries.get(&digest)?;
        let holds = now.duration_since(entry.since) < self.ttl;
        let current = newest.as_ref().is_some_and(|(_, make)| *make == Make::of(&entry.result));
        if holds && current {
            return Some(Arc::clone(&entry.result));
        }
        if !holds {
            entries.pop(&digest);
        }
        None
    }

    /// Keeps a worker's answer; what failed, and what came from a cache, is not kept.
    pub(crate) fn learn(&self, digest: Option<Digest>, result: &Arc<JobResult>, now: Instant) {
        let Some(kept) = self.kept.as_ref().filter(|_| !result.cached) else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.newest.as_ref().is_none_or(|(at, _)| *at <= result.finished_at) {
            kept.newest = Some((result.finished_at, Make::of(result)));
        }
        if let (Some(digest), Outcome::Classified { .. }) = (digest, &result.outcome) {
            kept.entries.put(digest, Entry { result: Arc::clone(result), since: now });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn result(label: &str, revision: &str, second: u32) -> Arc<JobResult> {
        let result = json!({
            "id": Uuid::nil(), "name": "a.jpg", "status": "Classified", "label": label, "predictions": [],
            "model": {"name": "m", "version": "1"}, "revision": revision, "worker": "i-0", "submittedAt": "2026-01-02T03:04:00Z",
            "finishedAt": format!("2026-01-02T03:04:{second:02}Z"),
            "timings": {"queueMs": 1.0, "fetchMs": 1.0, "decodeMs": 1.0, "inferMs": 1.0},
        });
        Arc::new(serde_json::from_value(result).unwrap())
    }

    fn digest(bytes: &str) -> Digest {
        Digest::of(bytes.as_bytes())
    }

    fn label(cache: &ResultCache, bytes: &str, now: Instant) -> Option<String> {
        match &cache.get(digest(bytes), now)?.outcome {
            Outcome::Classified { label, .. } => Some(label.clone()),
            Outcome::Failed { .. } => None,
        }
    }

    #[test]
    fn an_answer_holds_for_its_bytes_and_its_time() {
        let (cache, now) = (ResultCache::new(10, TTL), Instant::now());
        cache.learn(Some(digest("a")), &result("cat", "r1", 1), now);
        assert_eq!(label(&cache, "a", now).as_deref(), Some("cat"));
        assert_eq!(label(&cache, "b", now), None);
        assert_eq!(label(&cache, "a", now + TTL - Duration::from_nanos(1)).as_deref(), Some("cat"));
        assert_eq!(label(&cache, "a", now + TTL), None);
    }

    #[test]
    fn an_answer_of_another_revision_than_the_newest_does_not_hold() {
        let (cache, now) = (ResultCache::new(10, TTL), Instant::now());
        cache.learn(Some(digest("a")), &result("cat", "r1", 1), now);
        // Of an image whose bytes nobody hashed.
        cache.learn(None, &result("dog", "r2", 5), now);
        assert_eq!(label(&cache, "a", now), None, "r2 answers now");
        cache.learn(Some(digest("b")), &result("fox", "r1", 3), now);
        assert_eq!(label(&cache, "b", now), None, "an answer of before that came late");
        cache.learn(Some(digest("c")), &result("owl", "r1", 7), now);
        assert_eq!(label(&cache, "a", now).as_deref(), Some("cat"), "rolled back");
    }

    #[test]
    fn only_classified_images_of_workers_are_kept() {
        let (cache, now) = (ResultCache::new(10, TTL), Instant::now());
        let mut failed = (*result("", "r1", 1)).clone();
        failed.outcome = Outcome::Failed { code: wire::ErrorCode::Corrupt, message: "cut off".to_owned() };
        cache.learn(Some(digest("a")), &Arc::new(failed), now);
        assert!(cache.get(digest("a"), now).is_none());
        cache.learn(Some(digest("b")), &Arc::new(JobResult { cached: true, ..(*result("cat", "r1", 1)).clone() }), now);
        assert!(cache.get(digest("b"), now).is_none(), "or its time would never end");
    }

    #[test]
    fn the_least_used_goes_first_and_a_cache_of_none_is_off() {
        let (cache, now) = (ResultCache::new(2, TTL), Instant::now());
        for name in ["a", "b"] {
            cache.learn(Some(digest(name)), &result(name, "r1", 1), now);
        }
        assert!(label(&cache, "a", now).is_some());
        cache.learn(Some(digest("c")), &result("c", "r1", 1), now);
        let left = ["a", "b", "c"].map(|name| label(&cache, name, now).is_some());
        assert_eq!(left, [true, false, true]);

        let off = ResultCache::new(0, TTL);
        off.learn(Some(digest("a")), &result("a", "r1", 1), now);
        assert!(!off.is_on() && off.get(digest("a"), now).is_none());
    }
}
