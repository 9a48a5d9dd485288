//! What the operator remembers of each fleet between two reconciles. All of it may be lost: what safety needs stands in
//! the fleet's status and in EC2's tags.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};
use plan::{Change, QueueDepth, Recommendation};

use crate::observe::arrivals::Arrivals;
use crate::observe::cost::Bills;
use crate::prepare::Needs;
use crate::prepare::image::KnownImage;

/// What is remembered of all fleets, by uid.
#[derive(Default)]
pub struct Memory {
    fleets: Mutex<HashMap<String, Remembered>>,
    /// Fleets that were let go, and when: a watch that lags may show them again.
    gone: Mutex<HashMap<String, Timestamp>>,
}

/// What is remembered of one fleet.
#[derive(Default)]
pub struct Remembered {
    /// The fleet as the API server last answered a write of ours: the watch may lag behind it.
    pub written: Option<ClassifierFleet>,
    /// The API server refused our last write, for the fleet is another by now.
    pub conflict: bool,
    /// What the fleet needs, as last prepared.
    pub needs: Option<Needs>,
    /// It was prepared since this operator began.
    pub prepared: bool,
    /// Times that somebody disturbed what was prepared: what is being prepared meanwhile was looked at too early.
    pub disturbed: u64,
    /// What the image parameter said.
    pub image: Option<KnownImage>,
    /// Recommendations within the windows.
    pub history: Vec<Recommendation>,
    /// Changes of the number within the longest period a policy may have.
    pub changes: Vec<Change>,
    /// Orders that EC2's lists may not show yet.
    pub told: HashMap<String, Told>,
    /// EC2 refused a launch for a reason that no other offering mends.
    pub refusal: Option<Refusal>,
    /// When EC2 was last asked what became of launches without an answer.
    pub listed_at: Option<Timestamp>,
    /// Reconciles that failed in a row.
    pub failures: u32,
    /// The samples that failed since the last one that succeeded.
    pub failed_samples: Option<FailedSamples>,
    /// The last sample that succeeded, and when it did.
    pub depth: Option<(QueueDepth, Timestamp)>,
    /// Whether the last sample was not waited for.
    pub impatient: bool,
    /// How fast jobs arrive.
    pub arrivals: Arrivals,
    /// Since when nothing happens.
    pub quiet_since: Option<Timestamp>,
    /// Boots whose time was learned, by instance and launch; none before the first list.
    pub learned: Option<HashSet<(String, Timestamp)>>,
    /// How often workers were started again, as last told; none before the first list.
    pub restarts: Option<HashMap<String, u32>>,
    /// What instances have cost so far.
    pub bills: Bills,
    /// When the dead-letter queue was last looked at.
    pub dead_letters_at: Option<Timestamp>,
}

/// An order given to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Drain, since.
    Drain(Timestamp),
    /// Stay, since.
    Keep(Timestamp),
    /// Terminated, at.
    Terminate(Timestamp),
}

/// EC2 refused a launch: nothing was launched, and asking at once again would loop.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// EC2's code and message.
    pub message: String,
    /// EC2's code.
    pub code: String,
    /// No launch before.
    pub until: Timestamp,
    /// Refusals in a row.
    pub times: u32,
}

/// Samples of the queue that failed in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSamples {
    /// How many.
    pub count: u32,
    /// When the last of them did.
    pub at: Timestamp,
    /// What was wrong with it.
    pub message: String,
}

/// A watch lags by minutes at most: its calls end after five.
const GONE_KEPT: SignedDuration = SignedDuration::from_hours(1);
/// EC2's lists show an order well within this.
const TOLD_KEPT: SignedDuration = SignedDuration::from_mins(2);
/// A queue that is quiet is sampled every 15 s.
const DEPTH_HOLDS: SignedDuration = SignedDuration::from_secs(60);
/// The longest period that a policy may have.
const CHANGES_KEPT: SignedDuration = SignedDuration::from_secs(1800);

impl Memory {
    /// Reads or changes what is remembered of the fleet `uid`.
    pub fn with<T>(&self, uid: &str, f: impl FnOnce(&mut Remembered) -> T) -> T {
        let mut fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        f(fleets.entry(uid.to_owned()).or_default())
    }

    /// Forgets the fleet `uid`, but that it is gone.
    pub fn let_go(&self, uid: &str, now: Timestamp) {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.retain(|_, since| now.duration_since(*since) < GONE_KEPT);
        gone.insert(uid.to_owned(), now);
    }

    /// Whether the fleet `uid` was let go: whoever shows it lags.
    pub fn is_gone(&self, uid: &str) -> bool {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).contains_key(uid)
    }
}

impl Remembered {
    /// The API server answered a write of ours with `fleet`. Who owns which of its fields, most of its size, is left out: sent back
    /// empty, the API server keeps what it has.
    pub fn wrote(&mut self, mut fleet: ClassifierFleet) {
        fleet.metadata.managed_fields = None;
        self.written = Some(fleet);
    }

    /// The newer of what the watch shows and what our last write was answered with, which is forgotten once the watch shows it.
    /// Kubernetes compares resource versions as numbers (KEP-5504); one that is no number counts as newer, so that the watch decides.
    pub fn newest(&mut self, watched: &ClassifierFleet) -> ClassifierFleet {
        let version = |fleet: &ClassifierFleet| fleet.metadata.resource_version.as_deref().and_then(|text| text.parse::<u64>().ok());
        self.written.take_if(|written| version(written).zip(version(watched)).is_none_or(|(ours, theirs)| ours <= theirs));
        self.written.as_ref().unwrap_or(watched).clone()
    }

    /// Remembers a recommendation and forgets those older than `window`, the longer of the two.
    pub fn recommend(&mut self, at: Timestamp, workers: u32, window: SignedDuration) {
        self.history.retain(|entry| at.duration_since(entry.at) < window);
        match self.history.last_mut() {
            // The same number again only moves its time: the list stays as short as the numbers are steady.
            Some(last) if last.workers == workers => last.at = at,
            _ => self.history.push(Recommendation { at, workers }),
        }
    }

    /// Remembers that the number changed.
    pub fn changed(&mut self, at: Timestamp, by: i64) {
        self.changes.retain(|change| at.duration_since(change.at) < CHANGES_KEPT);
        if by != 0 {
            self.changes.push(Change { at, by });
        }
    }

    /// Remembers how the latest sample of the queue went.
    pub fn sampled(&mut self, at: Timestamp, sample: &Result<QueueDepth, String>) {
        self.impatient = false;
        let before = self.failed_samples.take().map_or(0, |failed| failed.count);
        match sample {
            Ok(depth) => self.depth = Some((*depth, at)),
            Err(message) => self.failed_samples = Some(FailedSamples { count: before.saturating_add(1), at, message: message.clone() }),
        }
    }

    /// What a decision that cannot wait for SQS counts with: the last sample, if it is not old and the last decision did wait.
    pub fn depth_in_haste(&self, now: Timestamp) -> Option<(QueueDepth, Timestamp)> {
        self.depth.filter(|(_, at)| !self.impatient && self.failed_samples.is_none() && now.duration_since(*at) < DEPTH_HOLDS)
    }

    /// What was wrong with a sample that failed less than `within` ago.
    pub fn just_failed(&self, now: Timestamp, within: SignedDuration) -> Option<String> {
        let failed = self.failed_samples.as_ref().filter(|failed| now.duration_since(failed.at) < within)?;
        Some(failed.message.clone())
    }

    /// Forgets orders that EC2 must have shown by now.
    pub fn forget_told(&mut self, now: Timestamp) {
        self.told.retain(|_, told| match *told {
            Told::Drain(at) | Told::Keep(at) | Told::Terminate(at) => now.duration_since(at) < TOLD_KEPT,
        });
    }
}
