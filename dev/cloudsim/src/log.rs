//! Owns the memory of what was asked: the latest requests whole, and counts of all. Knows nothing of what they mean.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Serialize;

use crate::faults::When;

/// How many requests are kept whole; of older ones only the counts are left.
pub const KEPT_REQUESTS: usize = 200_000;

/// One request that was taken.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// From 1, without gaps.
    pub seq: u64,
    /// RFC 3339 with milliseconds.
    pub at: String,
    /// The action's name.
    pub action: String,
    /// All parameters as sent, but `Action` and `Version`.
    pub params: BTreeMap<String, String>,
    /// `OK`, or the error code that was answered (`Drop`: none was).
    pub outcome: String,
    /// The armed fault that was used on this request, if any.
    pub fault: Option<When>,
    /// The instances that the action was about: made, changed or tagged, also when the answer was lost.
    pub instance_ids: Vec<String>,
}

/// How many requests were taken since the start.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// All; also the sequence number of the latest.
    pub total: u64,
    /// Those answered with `RequestLimitExceeded`.
    pub throttled: u64,
    /// By action.
    pub by_action: BTreeMap<String, u64>,
    /// By action, and then by outcome as [`LogEntry::outcome`] has it.
    pub by_outcome: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What was asked.
#[derive(Debug, Default)]
pub struct RequestLog {
    latest: VecDeque<Arc<LogEntry>>,
    calls: Calls,
}

impl RequestLog {
    /// Takes a request down; its sequence number is given here.
    pub(crate) fn push(&mut self, entry: LogEntry) {
        self.calls.total += 1;
        if entry.outcome == "RequestLimitExceeded" {
            self.calls.throttled += 1;
        }
        *self.calls.by_action.entry(entry.action.clone()).or_default() += 1;
        let outcomes = self.calls.by_outcome.entry(entry.action.clone()).or_default();
        *outcomes.entry(entry.outcome.clone()).or_default() += 1;
        if self.latest.len() == KEPT_REQUESTS {
            self.latest.pop_front();
        }
        self.latest.push_back(Arc::new(LogEntry { seq: self.calls.total, ..entry }));
    }

    /// The requests after the one with the sequence number `seq`, oldest first, as far as they are kept; 0 is all.
    #[must_use]
    pub fn since(&self, seq: u64) -> Vec<Arc<LogEntry>> {
        let start = self.latest.partition_point(|entry| entry.seq <= seq);
        self.latest.range(start..).cloned().collect()
    }

    /// The counts.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str, outcome: &str) -> LogEntry {
        LogEntry {
            seq: 0,
            at: String::new(),
            action: action.to_owned(),
            params: BTreeMap::new(),
            outcome: outcome.to_owned(),
            fault: None,
            instance_ids: Vec::new(),
        }
    }

    #[test]
    fn the_oldest_are_dropped_and_still_counted() {
        let mut log = RequestLog::default();
        for _ in 0..KEPT_REQUESTS + 5 {
            log.push(entry("DescribeInstances", "OK"));
        }
        let kept = log.since(0);
        assert_eq!((kept.len(), kept[0].seq), (KEPT_REQUESTS, 6));
        assert_eq!(log.calls().total, kept[KEPT_REQUESTS - 1].seq);
        assert_eq!(log.since(log.calls().total - 2).len(), 2);
        assert!(log.since(u64::MAX).is_empty());
    }

    #[test]
    fn counts_are_by_action_and_outcome() {
        let mut log = RequestLog::default();
        for outcome in ["OK", "RequestLimitExceeded", "OK"] {
            log.push(entry("RunInstances", outcome));
        }
        log.push(entry("CreateTags", "RequestLimitExceeded"));
        let calls = log.calls();
        assert_eq!((calls.total, calls.throttled, calls.by_action["RunInstances"]), (4, 2, 3));
        assert_eq!(calls.by_outcome["RunInstances"], BTreeMap::from([("OK".to_owned(), 2), ("RequestLimitExceeded".to_owned(), 1)]));
    }
}
