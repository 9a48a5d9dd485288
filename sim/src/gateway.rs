//! Uploads that wait for their answer, and what the gateway's Lease says of them. Knows nothing of workers or EC2.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::lock;

/// One gateway.
#[derive(Debug)]
pub struct Gateway {
    clock: Clock,
    uploads: Mutex<Uploads>,
    /// An upload waits, and none did before.
    pub woken: Notify,
    /// An upload was answered.
    pub answered: Notify,
}

#[derive(Debug, Default)]
struct Uploads {
    /// When each that waits was uploaded.
    pending: BTreeMap<u64, Timestamp>,
    /// The same by time.
    by_age: BTreeSet<(Timestamp, u64)>,
    answers: Vec<Answer>,
}

/// An upload that was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The job.
    pub id: u64,
    /// When it was uploaded.
    pub uploaded_at: Timestamp,
    /// When its result was announced first.
    pub answered_at: Timestamp,
}

/// What the Lease says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said {
    /// Uploads that wait.
    pub waiting: u64,
    /// When the oldest of them was uploaded.
    pub oldest: Option<Timestamp>,
}

impl Gateway {
    /// A gateway that nobody has uploaded to.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, uploads: Mutex::default(), woken: Notify::new(), answered: Notify::new() }
    }

    /// Job `id` is uploaded now.
    pub fn upload(&self, id: u64) {
        let mut uploads = lock(&self.uploads);
        let (now, first) = (self.clock.now(), uploads.pending.is_empty());
        uploads.pending.insert(id, now);
        uploads.by_age.insert((now, id));
        drop(uploads);
        if first {
            self.woken.notify_one();
        }
    }

    /// The result of job `id` is announced; a second time it changes nothing.
    pub fn announce(&self, id: u64) {
        let mut uploads = lock(&self.uploads);
        let Some(uploaded_at) = uploads.pending.remove(&id) else { return };
        uploads.by_age.remove(&(uploaded_at, id));
        uploads.answers.push(Answer { id, uploaded_at, answered_at: self.clock.now() });
        drop(uploads);
        self.answered.notify_one();
    }

    /// What its Lease says.
    #[must_use]
    pub fn says(&self) -> Said {
        let uploads = lock(&self.uploads);
        Said { waiting: uploads.pending.len() as u64, oldest: uploads.by_age.first().map(|(at, _)| *at) }
    }

    /// How many were answered.
    #[must_use]
    pub fn count_answered(&self) -> usize {
        lock(&self.uploads).answers.len()
    }

    /// All answers, in the order they were given.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        lock(&self.uploads).answers.clone()
    }
}
