//! Owns the rate of requests: EC2's token buckets, a token a request. Knows nothing of what the actions do.

use std::collections::HashMap;

use jiff::Timestamp;

/// "Request throttling for the Amazon EC2 API": how many tokens a bucket holds, and how many come back in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    bucket: &'static str,
    burst: f64,
    refill_per_second: f64,
}

const fn rate(bucket: &'static str, burst: f64, refill_per_second: f64) -> Rate {
    Rate { bucket, burst, refill_per_second }
}

const READS: Rate = rate("reads", 100.0, 20.0);
const WRITES: Rate = rate("writes", 50.0, 5.0);
const LAUNCHES: Rate = rate("RunInstances", 5.0, 2.0);
const STARTS: Rate = rate("StartInstances", 5.0, 2.0);
const TERMINATIONS: Rate = rate("TerminateInstances", 100.0, 5.0);
const TAGS: Rate = rate("CreateTags", 100.0, 10.0);

/// The buckets, full at first. One that is off lets everything through.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    on: bool,
    /// Tokens, and when they were counted.
    buckets: HashMap<&'static str, (f64, Timestamp)>,
}

impl Throttle {
    pub(crate) fn new(on: bool) -> Self {
        Self { on, buckets: HashMap::new() }
    }

    /// Takes a token for this action; `false` when there is none.
    pub(crate) fn admits(&mut self, action: &str, now: Timestamp) -> bool {
        if !self.on {
            return true;
        }
        let Rate { bucket, burst, refill_per_second } = rate_of(action);
        let (tokens, counted_at) = self.buckets.entry(bucket).or_insert((burst, now));
        let refilled = now.duration_since(*counted_at).as_secs_f64().max(0.0) * refill_per_second;
        *tokens = (*tokens + refilled).min(burst);
        *counted_at = now;
        let admitted = *tokens >= 1.0;
        if admitted {
            *tokens -= 1.0;
        }
        admitted
    }
}

fn rate_of(action: &str) -> Rate {
    match action {
        "RunInstances" => LAUNCHES,
        "StartInstances" => STARTS,
        "TerminateInstances" => TERMINATIONS,
        "CreateTags" => TAGS,
        _ if action.starts_with("Describe") => READS,
        _ => WRITES,
    }
}
