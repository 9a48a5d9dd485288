//! Owns the one way to EC2: each call waits for a token of its bucket, is sent once, and is told to the observer. Knows
//! nothing of what is asked.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use tokio::time::Instant;

use crate::actions::{Action, Bucket};
use crate::bucket::TokenBucket;
use crate::{Error, Verdict};

/// How long a call waits for its token before it fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call that is over, as an observer hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call<'a> {
    /// The action, as EC2 names it.
    pub action: &'static str,
    /// `OK`, EC2's error code, `NoAnswer`, or `ClientThrottled`: then nothing was sent.
    pub outcome: &'a str,
    /// How long the call waited before it was sent, so as to keep EC2's pace.
    pub waited: Duration,
    /// How long EC2 took to answer, or to fail to.
    pub took: Duration,
}

/// Hears of each call once it is over: of each page of a list, and of each try. It is called on the caller's task and has
/// to return at once.
pub type Observer = Arc<dyn Fn(&Call<'_>) + Send + Sync>;

/// The way to EC2 for all calls of one client.
pub(crate) struct Gate {
    buckets: Mutex<[TokenBucket; Bucket::ALL.len()]>,
    observer: Option<Observer>,
}

/// A try that failed, and whether the connection was to blame.
struct Failure {
    error: Error,
    broken: bool,
}

impl Gate {
    pub(crate) fn new(observer: Option<Observer>) -> Self {
        let now = Instant::now();
        Self { buckets: Mutex::new(Bucket::ALL.map(|bucket| TokenBucket::new(bucket.rate(), now))), observer }
    }

    /// Sends one call. A read whose connection breaks is sent once more. A write is not: that it was refused the second
    /// time would not tell whether the first one did something, and only the caller knows how to find out.
    pub(crate) async fn call<T, E, R, F>(&self, action: Action, send: impl Fn() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, SdkError<E, R>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug,
    {
        let answer = match self.once(action, &send).await {
            Err(Failure { broken: true, .. }) if action.is_read() => self.once(action, &send).await,
            answer => answer,
        };
        answer.map_err(|failure| failure.error)
    }

    async fn once<T, E, R, F>(&self, action: Action, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, R>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug,
    {
        let asked = Instant::now();
        if let Err(error) = self.admit(action).await {
            self.tell(action, Some(&error), Duration::ZERO, Duration::ZERO);
            return Err(Failure { error, broken: false });
        }
        let sent = Instant::now();
        let answer = send().await.map_err(|error| Failure {
            broken: matches!(error, SdkError::DispatchFailure(_) | SdkError::ResponseError(_)),
            error: Error::of(action.name, &error),
        });
        let error = answer.as_ref().err().map(|failure| &failure.error);
        if error.is_some_and(|error| error.verdict() == Verdict::Throttled) {
            self.buckets()[action.bucket as usize].throttled(Instant::now());
        }
        self.tell(action, error, sent - asked, sent.elapsed());
        answer
    }

    /// Waits for a token.
    async fn admit(&self, action: Action) -> Result<(), Error> {
        let promised = self.buckets()[action.bucket as usize].take(PATIENCE, Instant::now());
        match promised {
            Ok(wait) => {
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                Ok(())
            }
            Err(wait) => Err(Error::client_throttled(action.name, wait, PATIENCE)),
        }
    }

    fn tell(&self, action: Action, error: Option<&Error>, waited: Duration, took: Duration) {
        let Some(observer) = &self.observer else { return };
        let outcome = error.map_or("OK", |error| error.code.as_deref().unwrap_or("NoAnswer"));
        observer(&Call { action: action.name, outcome, waited, took });
    }

    fn buckets(&self) -> MutexGuard<'_, [TokenBucket; Bucket::ALL.len()]> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::actions::{CREATE_TAGS, DESCRIBE_INSTANCES, RUN_INSTANCES};
    use aws_sdk_ec2::error::{ConnectorError, ErrorMetadata};
    use aws_sdk_ec2::operation::run_instances::RunInstancesError;

    type Answer = Result<(), SdkError<RunInstancesError, ()>>;

    fn refused(code: &str) -> Answer {
        let error = RunInstancesError::generic(ErrorMetadata::builder().code(code).message("no").build());
        Err(SdkError::service_error(error, ()))
    }

    fn broken() -> Answer {
        Err(SdkError::dispatch_failure(ConnectorError::io("connection reset".into())))
    }

    /// A gate, and the outcomes that its observer heard with the whole seconds waited.
    fn observed() -> (Gate, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let record = heard.clone();
        let observer: Observer =
            Arc::new(move |call| record.lock().unwrap().push(format!("{} {} {}", call.action, call.outcome, call.waited.as_secs())));
        (Gate::new(Some(observer)), heard)
    }

    #[tokio::test(start_paused = true)]
    async fn callers_go_in_the_order_they_came_and_those_beyond_5_s_are_sent_away() {
        let (gate, heard) = observed();
        let start = Instant::now();
        let calls = (0..20).map(|_| gate.call(RUN_INSTANCES, || async { Answer::Ok(()) }));
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().position(Result::is_err), Some(11), "one at once and ten in 5 s: nobody has filled the bucket yet");
        assert_eq!(start.elapsed().as_secs(), 5);
        let error = answers.last().unwrap().as_ref().unwrap_err();
        assert_eq!(error.verdict(), Verdict::Throttled);
        assert!(error.to_string().contains("ClientThrottled") && error.to_string().contains("nothing was sent"), "{error}");
        let heard = heard.lock().unwrap();
        let count = |line: &str| heard.iter().filter(|one| *one == line).count();
        assert_eq!((count("RunInstances OK 0"), count("RunInstances OK 4"), count("RunInstances ClientThrottled 0")), (2, 2, 9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_answer_slows_the_actions_own_bucket_only() {
        let (gate, heard) = observed();
        gate.call(RUN_INSTANCES, || async { refused("RequestLimitExceeded") }).await.unwrap_err();
        gate.call(CREATE_TAGS, || async { Answer::Ok(()) }).await.unwrap();
        gate.call(RUN_INSTANCES, || async { Answer::Ok(()) }).await.unwrap();
        assert_eq!(*heard.lock().unwrap(), ["RunInstances RequestLimitExceeded 0", "CreateTags OK 0", "RunInstances OK 1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_read_is_sent_once_more_and_a_write_is_not() {
        let (gate, heard) = observed();
        let tries = AtomicUsize::new(0);
        let flaky = || async { if tries.fetch_add(1, Ordering::Relaxed) == 0 { broken() } else { Ok(()) } };
        gate.call(DESCRIBE_INSTANCES, flaky).await.unwrap();
        assert_eq!(gate.call(DESCRIBE_INSTANCES, || async { broken() }).await.unwrap_err().verdict(), Verdict::Unknown);
        gate.call(DESCRIBE_INSTANCES, || async { refused("InternalError") }).await.unwrap_err();
        assert_eq!(gate.call(RUN_INSTANCES, || async { broken() }).await.unwrap_err().verdict(), Verdict::Unknown);
        let (read, write) = ("DescribeInstances NoAnswer 0", "RunInstances NoAnswer 0");
        assert_eq!(*heard.lock().unwrap(), [read, "DescribeInstances OK 0", read, read, "DescribeInstances InternalError 0", write]);
    }
}
