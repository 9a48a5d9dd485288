//! A circuit breaker for S3: while it cannot be reached, no job is taken, for each would cost one of its receives. Knows
//! nothing of jobs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use service::monitor::Readiness;
use tokio_util::sync::CancellationToken;

use super::room::Limits;
use crate::cause::chain;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One job at a time, until one has worked.
const ON_PROBATION: Limits = Limits { waiting: 1, all: 1 };

/// Whether S3 works, as far as the jobs have shown.
#[derive(Debug)]
pub(super) struct Breaker {
    s3: Client,
    readiness: Readiness,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// After a failure in this bucket, no job is taken for this long.
    Open { bucket: String, pause: Duration },
    /// The bucket can be reached again, which is not all that a job needs.
    Probation { pause: Duration },
}

impl Breaker {
    pub(super) fn new(s3: Client, readiness: Readiness) -> Self {
        Self { s3, readiness, state: Mutex::default() }
    }

    /// A job failed for want of this bucket.
    pub(super) fn failed(&self, bucket: &str) {
        let mut state = self.state();
        let pause = match &*state {
            State::Closed => FIRST_PAUSE,
            State::Probation { pause } => longer(*pause),
            // Those that were held already fail one after the other.
            State::Open { .. } => return,
        };
        tracing::warn!(bucket, pause_seconds = pause.as_secs(), "S3 fails, no jobs are taken for now");
        *state = State::Open { bucket: bucket.to_owned(), pause };
        self.readiness.set(false);
    }

    /// A job worked.
    pub(super) fn worked(&self) {
        let mut state = self.state();
        if matches!(*state, State::Probation { .. }) {
            tracing::info!("S3 works again, jobs are taken");
            *state = State::Closed;
            self.readiness.set(true);
        }
    }

    /// How many messages may be held: as many as `usual` while S3 works.
    pub(super) fn limits(&self, usual: Limits) -> Limits {
        match *self.state() {
            State::Closed => usual,
            State::Open { .. } | State::Probation { .. } => ON_PROBATION,
        }
    }

    /// Whether no job may be taken.
    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state(), State::Open { .. })
    }

    /// Returns once jobs may be taken; none when `drain` came first.
    pub(super) async fn pass(&self, drain: &CancellationToken) -> Option<()> {
        loop {
            let open = self.state().clone();
            let State::Open { bucket, pause } = open.clone() else { return Some(()) };
            drain.run_until_cancelled(tokio::time::sleep(pause)).await?;
            let reached = drain.run_until_cancelled(reach(&self.s3, &bucket)).await?;
            let next = match reached {
                Ok(()) => State::Probation { pause },
                Err(reason) => {
                    let pause = longer(pause);
                    tracing::warn!(bucket, reason, pause_seconds = pause.as_secs(), "S3 still cannot be reached");
                    State::Open { bucket, pause }
                }
            };
            let mut state = self.state();
            // Another poller may have been first.
            if *state == open {
                *state = next;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns once `bucket` can be reached; at once when it can.
pub async fn until_reached(s3: &Client, bucket: &str) {
    let mut pause = FIRST_PAUSE;
    while let Err(reason) = reach(s3, bucket).await {
        tracing::warn!(bucket, reason, retry_in_seconds = pause.as_secs(), "the bucket cannot be reached, this worker is not ready");
        tokio::time::sleep(pause).await;
        pause = longer(pause);
    }
}

/// Whether there is such a bucket. That it may not be listed (403) shows that it is there: no right is needed for this question.
async fn reach(s3: &Client, bucket: &str) -> Result<(), String> {
    match s3.head_bucket().bucket(bucket).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 403) => Ok(()),
        Err(error) => Err(chain(&error)),
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}
